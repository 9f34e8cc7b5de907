-- Counts one event in all budgets, or in none where one of them is used up. See limits.lua for KEYS and ARGV 1–3.
-- ARGV  4 id of the event
-- Gives the limit that was met with its wait.

unask(asked.budgets, ARGV[4])
local met = judge(asked.budgets)
if met.name == "" then
  count(asked.budgets, ARGV[4])
else
  reask(ARGV[4])
end
return {"spend", met.name, met.wait}
