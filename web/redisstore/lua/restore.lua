-- Puts a part of what was counted back, unless Redis remembers it by now: somebody else was faster, and may have counted
-- more since.
-- KEYS  as in limits.lua, but 2 says that this restore has begun
-- ARGV  1 how long the marker is kept  2 "begin", "part" or "last"  3 how long a restore may take between two parts
--       4… for each event: the number of its key, member, time, how long it is kept
-- Gives 1 where this was wanted, 0 where it was not, and -1 where Redis has lost its memory once more since the restore
-- began: the parts before are gone, and what was read before may be too old.

if redis.call("EXISTS", KEYS[1]) == 1 then
  return 0
end
if ARGV[2] == "begin" then
  redis.call("SET", KEYS[2], 1, "PX", ARGV[3])
  return 1
end
if redis.call("EXISTS", KEYS[2]) == 0 then
  return -1
end
redis.call("PEXPIRE", KEYS[2], ARGV[3])
for i = 4, #ARGV, 4 do
  local key, member, at, keep = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  -- GT keeps the last of several lifts; an event has only one time.
  redis.call("ZADD", key, "GT", at, member)
  redis.call("PEXPIRE", key, keep)
end
if ARGV[2] == "last" then
  redis.call("SET", KEYS[1], 1, "PX", ARGV[1])
  redis.call("DEL", KEYS[2])
end
return 1
