-- Takes a try back. See signin.lua for KEYS and ARGV 1–5.
-- ARGV  6 its lane  7 which password was right; empty where none was looked at  8 how long the owner is remembered,
--       milliseconds  9 how many addresses are

local function back(key, step)
  if redis.call("EXISTS", key) == 1 then
    set(key, drained(key) - step)
  end
end

local lane, password, owner = ARGV[6], ARGV[7], KEYS[2]
back(lanes[lane], login_step)
if password == "" then
  return {}
end
if lane ~= "device" then
  back(KEYS[1], address_step)
end
local last = redis.call("HGET", owner, "password")
if last and last ~= password then
  redis.call("DEL", owner)
end
redis.call("HSET", owner, "password", password, "at:" .. address, whole(now))
if redis.call("HLEN", owner) > 1 + tonumber(ARGV[9]) then
  local all, oldest, since = redis.call("HGETALL", owner), nil, math.huge
  for i = 1, #all, 2 do
    if all[i] ~= "password" and tonumber(all[i + 1]) < since then
      oldest, since = all[i], tonumber(all[i + 1])
    end
  end
  redis.call("HDEL", owner, oldest)
end
redis.call("PEXPIRE", owner, ARGV[8])
return {}
