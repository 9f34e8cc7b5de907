-- What open.lua and check.lua share; it is put before each of them.
--
-- KEYS  1 the challenge of this phone and visit: id, digest, expires, sent, sends, tries, max, compared, verified,
--         request (of the last SMS), answer:<request> (of every counted check)
--       2 the pace of SMS to this phone over all visits: n, at, next
--       3 the wrong guesses of this phone over all visits: n, from, max
-- ARGV  1 now  2 tries per challenge  3 tries per day  4 request  5 digest
--       6 how long a challenge is remembered after it expired  7 how long the pace is remembered  8 the length of a day
-- Times are milliseconds of the caller's clock and lengths are milliseconds. What is decided hangs on stored times
-- alone; the TTLs only clear away what no decision can need any more.

local challenge, pace, wrong = KEYS[1], KEYS[2], KEYS[3]
local now, max_tries, max_day = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local request, digest = ARGV[4], ARGV[5]
local kept, pace_kept, day = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- Written out, because a large number would be stored with an exponent.
local function whole(number)
  return string.format("%.0f", number)
end

-- How many guesses were wrong in the window that runs, when it began, and how long it still lasts.
local function wrong_today()
  local stored = redis.call("HMGET", wrong, "n", "from")
  local n, from = tonumber(stored[1] or 0), tonumber(stored[2] or now)
  if now >= from + day then
    n, from = 0, now
  end
  -- A clock that was ahead when the window began must not make it longer than a day.
  return n, from, math.min(from + day - now, day)
end
