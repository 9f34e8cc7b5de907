-- Gives of each budget how long it is used up; 0 where it is not. See limits.lua for KEYS and ARGV.

local waits = {}
for i, budget in ipairs(asked.budgets) do
  waits[i] = judge({budget}).wait
end
return {"standing", waits}
