-- Counts a try to sign in. See signin.lua for KEYS and ARGV 1–5.
-- ARGV  6 which password the login has come in with from this device; empty where it never has
-- Gives the lane, empty where the password must not be looked at, and how long to wait then.

local function take(lane)
  set(lanes[lane], drained(lanes[lane]) + login_step)
  return {lane, 0}
end

-- Where Redis was emptied nobody knows the last password any more, and the device's own word counts.
local last = redis.call("HGET", KEYS[2], "password")
if ARGV[6] ~= "" and (not last or last == ARGV[6]) and wait(lanes.device, login_step) == 0 then
  return take("device")
end
-- A try that is refused counts too: an address that goes on and on stays shut.
local shut = wait(KEYS[1], address_step)
set(KEYS[1], math.min(drained(KEYS[1]) + address_step, now + window))
if shut > 0 then
  return {"", wait(KEYS[1], address_step)}
end
local lane = redis.call("HEXISTS", KEYS[2], "at:" .. address) == 1 and "address" or "stranger"
local full = wait(lanes[lane], login_step)
if full > 0 then
  return {"", math.max(full, wait(KEYS[1], address_step))}
end
return take(lane)
