-- Takes the next free place of a row in which one stands each step.
-- KEYS[1] the row; ARGV: step and longest wait, in microseconds.
-- Gives the wait in microseconds and whether the place was taken. The clock is
-- that of Redis, so that any number of instances stand in one row.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local free = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait, step, most = free - now, tonumber(ARGV[1]), tonumber(ARGV[2])
if wait > most then
  return {wait, 0}
end
redis.call('SET', KEYS[1], string.format('%.0f', free + step), 'PX', math.ceil((wait + step) / 1000) + 1000)
return {wait, 1}
