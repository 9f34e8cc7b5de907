-- Puts a part of what was counted back, unless Redis remembers it by now: somebody else was faster, and may have counted
-- more since.
-- KEYS  as in limits.lua
-- ARGV  1 how long the marker is kept  2 whether this is the last part
--       3… for each event: the number of its key, member, time, how long it is kept
-- Gives whether this was wanted.

if redis.call("EXISTS", KEYS[1]) == 1 then
  return 0
end
for i = 3, #ARGV, 4 do
  local key, member, at, keep = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  -- GT keeps the last of several lifts; an event has only one time.
  redis.call("ZADD", key, "GT", at, member)
  redis.call("PEXPIRE", key, keep)
end
if ARGV[2] == "1" then
  redis.call("SET", KEYS[1], 1, "PX", ARGV[1])
end
return 1
