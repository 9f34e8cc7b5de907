-- What counts and judges budgets; it is put before every script that does.
--
-- KEYS  1 the marker that Redis remembers what was counted
--       further ones are the events of one kind and subject, each a sorted set: member "e:<id>" of an event that was
--       judged, "a:<id>" of one that a restore has found asked and without a verdict, which counts alike, and "lift" of
--       the last lift; the score is the time. Which key a budget counts in stands in the budget.
-- ARGV  1 now, empty for the clock of Redis  2 lists of budgets by name, as JSON  3 how long the marker is kept
-- Times and lengths are milliseconds. One clock judges for all instances: what is past and cleared away by the clock of
-- one caller would be gone for everybody. What is decided hangs on stored times alone; the TTLs only clear away what no
-- decision can need any more.

if redis.call("EXISTS", KEYS[1]) == 0 then
  return {"lost"}
end

local now, asked, marker_kept = tonumber(ARGV[1]), cjson.decode(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Written out, because a large number would be stored with an exponent.
local function whole(number)
  return string.format("%.0f", number)
end

local function last_lift(budget)
  return tonumber(redis.call("ZSCORE", KEYS[budget.key], "lift") or 0)
end

-- How many events a budget that refills still has room for, and how long it has none.
local function refilling(budget)
  if budget.max < 1 then
    return 0, budget.window
  end
  local key, from = KEYS[budget.key], "(" .. whole(math.max(now - budget.window, last_lift(budget)))
  local n = redis.call("ZCOUNT", key, from, "+inf")
  if n < budget.max then
    return budget.max - n, 0
  end
  -- There is room again when all but max-1 have left the window.
  local last = redis.call("ZRANGEBYSCORE", key, from, "+inf", "WITHSCORES", "LIMIT", whole(n - budget.max), 1)
  return 0, tonumber(last[2]) + budget.window - now
end

-- The same of a budget that locks: an event locks when it is the max-th, or the 2·max-th …, of the window that it ends.
-- A lift ends the locks of what came before, but the events still count, so the next lock is longer all the same.
local function locking(budget)
  if budget.max < 1 then
    return 0, budget.window
  end
  local stored = redis.call("ZRANGEBYSCORE", KEYS[budget.key], "(" .. whole(now - budget.keep), "+inf", "WITHSCORES")
  local times, lift = {}, last_lift(budget)
  for i = 1, #stored, 2 do
    if stored[i] ~= "lift" then
      times[#times + 1] = tonumber(stored[i + 1])
    end
  end
  local first, ends = 1, now
  for i, at in ipairs(times) do
    while times[first] <= at - budget.window do
      first = first + 1
    end
    local n = i - first + 1
    if n % budget.max == 0 and at > lift then
      ends = math.max(ends, at + budget.locks[math.min(n / budget.max, #budget.locks)])
    end
  end
  if ends > now then
    return 0, ends - now
  end
  while first <= #times and times[first] <= now - budget.window do
    first = first + 1
  end
  return budget.max - (#times - first + 1) % budget.max, 0
end

-- How much room all of the budgets have, and which of them is used up for the longest; an empty name is none.
local function judge(budgets)
  local all = {room = math.huge, name = "", wait = 0}
  for _, budget in ipairs(budgets) do
    local look = budget.locks and locking or refilling
    local room, wait = look(budget)
    all.room = math.min(all.room, room)
    if wait > all.wait then
      all.name, all.wait = budget.name, wait
    end
  end
  return all
end

-- Takes back what a restore has counted of an event that was asked: here comes its verdict, and it must not stand in its
-- own way. It writes only where there is something to take: the first write of a script is the one that a Redis without
-- memory refuses, and that is left to ZADD.
local taken = {}
local function unask(budgets, id)
  for _, budget in ipairs(budgets) do
    local at = redis.call("ZSCORE", KEYS[budget.key], "a:" .. id)
    if at then
      redis.call("ZREM", KEYS[budget.key], "a:" .. id)
      taken[#taken + 1] = {budget = budget, at = at}
    end
  end
end

-- Puts that back where the verdict counts nothing. The event may have been judged before Redis lost its memory; whoever
-- writes the verdict knows, and takes it back then.
local function reask(id)
  for _, t in ipairs(taken) do
    redis.call("ZADD", KEYS[t.budget.key], t.at, "a:" .. id)
    redis.call("PEXPIRE", KEYS[t.budget.key], whole(t.budget.keep))
  end
end

-- Whether an event was judged and counted, whatever has become of the challenge since.
local function was_counted(budgets, id)
  for _, budget in ipairs(budgets) do
    if redis.call("ZSCORE", KEYS[budget.key], "e:" .. id) then
      return true
    end
  end
  return false
end

-- Counts one event in all of the budgets. ZADD comes first: a Redis without memory refuses the first write of a script
-- if it may take memory, and none of those that follow.
local function count(budgets, id)
  for _, budget in ipairs(budgets) do
    redis.call("ZADD", KEYS[budget.key], whole(now), "e:" .. id)
    redis.call("ZREMRANGEBYSCORE", KEYS[budget.key], "-inf", whole(now - budget.keep))
    redis.call("PEXPIRE", KEYS[budget.key], whole(budget.keep))
  end
  redis.call("PEXPIRE", KEYS[1], whole(marker_kept))
end
