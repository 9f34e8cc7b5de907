-- Opens a challenge or repeats the live one. See limits.lua and challenge.lua for KEYS and ARGV 1–8.
-- ARGV  9 lifetime  10 id  11… pauses after the 1st, 2nd, … SMS
-- Gives verdict, wait until the pause is over, the limit that was met with its wait, and the state.

local lifetime, id = tonumber(ARGV[9]), ARGV[10]

local counted = "sent:" .. event
local old = redis.call("HMGET", challenge, "id", "expires", "tries", "sends", "verified", counted)
local expires = tonumber(old[2] or 0)
local remembered = old[1] and now < expires + kept
if remembered and old[6] or was_counted(asked.sends, event) then
  return {"repeated", 0, "", 0, state()}
end
unask(asked.sends, event)
-- A verdict that counts nothing.
local function refuse(verdict, wait, name, limited, ...)
  reask(event)
  return {verdict, wait, name, limited, state(...)}
end
if remembered and old[5] then
  return refuse("done", 0, "", 0)
end

local barred, silent = judge(asked.wrongs), judge(asked.sends)
for _, met in ipairs({barred, silent}) do
  if met.name ~= "" then
    return refuse("limited", 0, met.name, met.wait, barred, silent)
  end
end

local sent = redis.call("HMGET", pace, "n", "at", "next")
local n, next_at = tonumber(sent[1] or 0), tonumber(sent[3] or 0)
if sent[2] and now >= tonumber(sent[2]) + pace_kept then
  n, next_at = 0, 0
end
if now < next_at then
  return refuse("wait", next_at - now, "", 0, barred, silent)
end

-- The SMS is counted before anything else is written: a Redis without memory refuses the first write of a script, and
-- then nothing at all has happened.
local live = old[1] and now < expires and tonumber(old[3]) < max_tries
if live then
  id = old[1]
end
count(asked.sends, event)
local pause = tonumber(ARGV[10 + math.min(n + 1, #ARGV - 10)])
redis.call("HSET", pace, "n", n + 1, "at", whole(now), "next", whole(now + pause))
redis.call("PEXPIRE", pace, whole(math.max(pace_kept, pause)))

if live then
  -- The same code once more. It gets its whole lifetime again, or a code that is sent shortly before its end would be
  -- dead on arrival; its tries stay spent, so this gives no guess back.
  redis.call("HINCRBY", challenge, "sends", 1)
else
  redis.call("DEL", challenge)
  redis.call("HSET", challenge, "id", id, "digest", digest, "sends", 1, "tries", 0, "compared", 0)
  expires = 0
end
expires = math.max(expires, now + lifetime)
redis.call("HSET", challenge, counted, 1, "sent", whole(now), "expires", whole(expires))
redis.call("PEXPIRE", challenge, whole(expires + kept - now))
return {"send", 0, "", 0, state(barred)}
