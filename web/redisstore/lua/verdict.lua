-- Tells what became of an event, and writes nothing. See limits.lua and challenge.lua for KEYS and ARGV.
-- Gives the id of the challenge and the answer of a check ("wrong 2") where they are known, whether the event was judged
-- and counted, and whether a restore has counted it as asked.

local stored = redis.call("HMGET", challenge, "id", "answer:" .. event)
local restored = redis.call("ZSCORE", KEYS[asked.counted[1].key], "a:" .. event)
return {"verdict", stored[1] or "", stored[2] or "", was_counted(asked.counted, event) and 1 or 0, restored and 1 or 0}
