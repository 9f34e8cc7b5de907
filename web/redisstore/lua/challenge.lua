-- What open.lua, check.lua and look.lua share; limits.lua comes before it, one of them after.
--
-- KEYS  2 the challenge of this phone and visit: id, digest, expires, sent, sends, tries, compared, verified,
--         sent:<event> (of every counted SMS), answer:<event> (of every counted check)
--       3 the pace of SMS to this phone over all visits: n, at, next
-- ARGV  2 has the budgets "sends" and "wrongs"
--       4 event, under which this is counted, once  5 digest  6 tries per challenge  7 how long a challenge is remembered after it expired
--       8 how long the pace is remembered

local challenge, pace = KEYS[2], KEYS[3]
local event, digest, max_tries = ARGV[4], ARGV[5], tonumber(ARGV[6])
local kept, pace_kept = tonumber(ARGV[7]), tonumber(ARGV[8])

-- What is stored, as Go reads it for a screen. Budgets that were judged already need not be judged again.
local function state(barred, silent)
  barred, silent = barred or judge(asked.wrongs), silent or judge(asked.sends)
  return {
    redis.call("HMGET", challenge, "id", "expires", "sends", "tries", "verified"),
    redis.call("HGET", pace, "next"),
    barred.room, barred.name, barred.wait, silent.name, silent.wait, whole(now),
  }
end
