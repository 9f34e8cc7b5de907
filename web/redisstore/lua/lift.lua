-- Makes what the budgets have counted up to a moment count no more. See limits.lua for KEYS and ARGV 1–3.
-- ARGV  4 the moment; never one that is still to come

local at = math.min(now, tonumber(ARGV[4]))
for _, budget in ipairs(asked.budgets) do
  -- GT, because a lift that is repeated late must not take the place of a newer one.
  redis.call("ZADD", KEYS[budget.key], "GT", whole(at), "lift")
  redis.call("PEXPIRE", KEYS[budget.key], whole(budget.keep))
end
redis.call("PEXPIRE", KEYS[1], whole(marker_kept))
return {"lift"}
