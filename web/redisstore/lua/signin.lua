-- What enter.lua and leave.lua share; it comes before them. The rules stand at SignIn in domain.
--
-- KEYS  1 tries of this address  2 what is remembered of the owner of this login, a hash: "password", and "at:<address>"
--         with the time of each address  3, 4, 5 the lanes of this login: strangers, addresses, devices
-- ARGV  1 now, empty for the clock of Redis  2 window  3 how long one try of a login takes to drain  4 the same of an
--         address  5 this address
-- Times and lengths are microseconds, whole numbers. A count is the moment at which it will have drained.

local now, window, login_step, address_step, address = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
if not now then
  local time = redis.call("TIME")
  now = time[1] * 1000000 + time[2]
end
local lanes = {stranger = KEYS[3], address = KEYS[4], device = KEYS[5]}

-- Written out, because a large number would be stored with an exponent.
local function whole(number)
  return string.format("%.0f", number)
end

local function set(key, at)
  if at > now then
    redis.call("SET", key, whole(at), "PX", whole(math.ceil((at - now) / 1000)))
  else
    redis.call("DEL", key)
  end
end

local function drained(key)
  local at = tonumber(redis.call("GET", key) or 0)
  if at > now + window then
    -- A clock that was ahead has written it. No count lasts longer than the window.
    at = now + window
    set(key, at)
  end
  return math.max(now, at)
end

-- How long there is no room for one more; 0 where there is.
local function wait(key, step)
  return math.max(0, drained(key) + step - now - window)
end
