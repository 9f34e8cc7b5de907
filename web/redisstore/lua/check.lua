-- Judges a guess: counts it first and compares after. See limits.lua and challenge.lua for KEYS and ARGV.
-- Gives verdict, whether this event was answered before, id, tries left, time of the last SMS, the limit that was met
-- with its wait, and the state.

local answered = "answer:" .. event
local stored = redis.call("HMGET", challenge,
  "id", "digest", "expires", "sent", "tries", "verified", answered)
local id, right_digest, expires, sent = stored[1], stored[2], tonumber(stored[3] or 0), stored[4]

local function answer(verdict, repeated, left, barred)
  if verdict ~= "right" and verdict ~= "wrong" then
    reask(event)
  end
  barred = barred or judge(asked.wrongs)
  local met = (verdict == "limited" or verdict == "wrong") and barred or {name = "", wait = 0}
  return {verdict, repeated, id or "", left, sent or "", met.name, met.wait, state(barred)}
end

if id and now < expires + kept and stored[7] then
  local verdict, left = string.match(stored[7], "^(%a+) (%d+)$")
  return answer(verdict, 1, tonumber(left))
end
-- Its challenge may be another one by now, and the answer is gone with the old one: it was wrong, and stays counted.
if was_counted(asked.wrongs, event) then
  return answer("wrong", 1, 0)
end
unask(asked.wrongs, event)
if not id or now >= expires + kept then
  id, sent = nil, nil
  return answer("expired", 0, 0)
end
if stored[6] then
  return answer("used", 0, 0)
end
if now >= expires then
  return answer("expired", 0, 0)
end
if tonumber(stored[5]) >= max_tries then
  return answer("locked", 0, 0)
end
local barred = judge(asked.wrongs)
if barred.name ~= "" then
  return answer("limited", 0, 0, barred)
end

count(asked.wrongs, event)
local tries = redis.call("HINCRBY", challenge, "tries", 1)
redis.call("HINCRBY", challenge, "compared", 1)

local verdict = "wrong"
if digest == right_digest then
  -- Only this guess is taken back; somebody with one working phone must not clear what was guessed before.
  verdict, tries = "right", redis.call("HINCRBY", challenge, "tries", -1)
  for _, budget in ipairs(asked.wrongs) do
    redis.call("ZREM", KEYS[budget.key], "e:" .. event)
  end
  redis.call("HSET", challenge, "verified", 1)
end
barred = judge(asked.wrongs)
local left = math.max(0, math.min(max_tries - tries, barred.room))
redis.call("HSET", challenge, answered, verdict .. " " .. whole(left))
return answer(verdict, 0, left, barred)
