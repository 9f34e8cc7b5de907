-- Opens a challenge or repeats the live one. See challenge.lua for KEYS and ARGV 1–8.
-- ARGV  9 lifetime  10 id  11… pauses after the 1st, 2nd, … SMS
-- Gives verdict, wait, and then what is stored, as Go reads it for a screen too.

local lifetime, id = tonumber(ARGV[9]), ARGV[10]

local function answer(verdict, wait)
  return {
    verdict, wait,
    redis.call("HMGET", challenge, "id", "expires", "sends", "tries", "max", "verified"),
    redis.call("HMGET", pace, "next"),
    redis.call("HMGET", wrong, "n", "from", "max"),
  }
end

local old = redis.call("HMGET", challenge, "expires", "tries", "verified", "request")
local expires = tonumber(old[1] or 0)
if old[1] and now < expires + kept then
  if request ~= "" and old[4] == request then
    return answer("repeated", 0)
  end
  if old[3] then
    return answer("done", 0)
  end
end

local guesses, _, window = wrong_today()
if guesses >= max_day then
  return answer("locked", window)
end

local sent = redis.call("HMGET", pace, "n", "at", "next")
local n, next_at = tonumber(sent[1] or 0), tonumber(sent[3] or 0)
if sent[2] and now >= tonumber(sent[2]) + pace_kept then
  n, next_at = 0, 0
end
if now < next_at then
  return answer("wait", next_at - now)
end

-- The SMS is counted before anything else is written: a Redis without memory refuses the first write of a script, and
-- then nothing at all has happened.
local pause = tonumber(ARGV[10 + math.min(n + 1, #ARGV - 10)])
redis.call("HSET", pace, "n", n + 1, "at", whole(now), "next", whole(now + pause))
redis.call("PEXPIRE", pace, whole(math.max(pace_kept, pause)))

if old[1] and now < expires and tonumber(old[2]) < max_tries then
  -- The same code once more. It gets its whole lifetime again, or a code that is sent shortly before its end would be
  -- dead on arrival; its tries stay spent, so this gives no guess back.
  redis.call("HINCRBY", challenge, "sends", 1)
else
  redis.call("DEL", challenge)
  redis.call("HSET", challenge, "id", id, "digest", digest, "sends", 1, "tries", 0, "compared", 0)
  expires = 0
end
expires = math.max(expires, now + lifetime)
redis.call("HSET", challenge, "request", request, "sent", whole(now), "expires", whole(expires), "max", max_tries)
redis.call("PEXPIRE", challenge, whole(expires + kept - now))
return answer("send", 0)
