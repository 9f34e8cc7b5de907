-- Reads what a screen shows and writes nothing. See limits.lua and challenge.lua for KEYS and ARGV.

return {"look", state()}
