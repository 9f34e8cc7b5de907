-- Judges a guess: counts it first and compares after. See challenge.lua for KEYS and ARGV.
-- Gives verdict, whether this request was answered before, wait, id, tries left, time of the last SMS.

local answered = "answer:" .. request
local stored = redis.call("HMGET", challenge,
  "id", "digest", "expires", "sent", "tries", "verified", answered)
local id, right_digest, expires, sent = stored[1], stored[2], tonumber(stored[3] or 0), stored[4]

local function answer(verdict, repeated, wait, left)
  return {verdict, repeated, wait, id or "", left, sent or ""}
end

if not id or now >= expires + kept then
  id, sent = nil, nil
  return answer("expired", 0, 0, 0)
end
if request ~= "" and stored[7] then
  local verdict, left = string.match(stored[7], "^(%a+) (%d+)$")
  return answer(verdict, 1, 0, tonumber(left))
end
if stored[6] then
  return answer("used", 0, 0, 0)
end
if now >= expires then
  return answer("expired", 0, 0, 0)
end
if tonumber(stored[5]) >= max_tries then
  return answer("locked", 0, 0, 0)
end
local guesses, from, window = wrong_today()
if guesses >= max_day then
  return answer("day", 0, window, 0)
end

local tries = redis.call("HINCRBY", challenge, "tries", 1)
redis.call("HSET", wrong, "n", guesses + 1, "from", whole(from), "max", max_day)
redis.call("PEXPIRE", wrong, whole(window))
redis.call("HINCRBY", challenge, "compared", 1)

local verdict = "wrong"
if digest == right_digest then
  -- Only this guess is taken back; somebody with one working phone must not clear what was guessed before.
  verdict, tries = "right", redis.call("HINCRBY", challenge, "tries", -1)
  if guesses == 0 then
    redis.call("DEL", wrong)
  else
    redis.call("HSET", wrong, "n", guesses)
  end
  redis.call("HSET", challenge, "verified", 1)
else
  guesses = guesses + 1
end
local left = math.max(0, math.min(max_tries - tries, max_day - guesses))
if request ~= "" then
  redis.call("HSET", challenge, answered, verdict .. " " .. whole(left))
end
return answer(verdict, 0, 0, left)
