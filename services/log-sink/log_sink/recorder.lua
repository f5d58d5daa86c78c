-- The recorder's only write, and its only look: one atomic step each, so that at no instant anybody sees more than
-- `cap` entries or counters that disagree with the stream.
--
-- KEYS  1 the stream, 2 its counters, 3 the last batch of the calling sink (write only)
-- ARGV  1 "look" (counters and what is kept by cell) or "read" (the same, and the entries, newest first)
--       1 "write", 2 cap, 3 number of this batch, 4 seconds to remember that number, 5 number of cells,
--         then service, level, received, superseded, dropped of each cell, then service, level, entry of each entry
--
-- An entry's id is <since>-<ordinal>: when this buffer began to fill (ms), and the how many-eth arrival it is.
-- A reader that knows two ids knows how many lie between them; a reader with an id of another `since` knows that
-- the buffer was emptied in between.
local stream, counters = KEYS[1], KEYS[2]

local function by_cell(entries)
  local cells = {}
  for _, item in ipairs(entries) do
    local pairs_of, service, level = item[2], 'unknown', 'unknown'
    for i = 1, #pairs_of, 2 do
      if pairs_of[i] == 'service' then service = pairs_of[i + 1] end
      if pairs_of[i] == 'level' then level = pairs_of[i + 1] end
    end
    local cell = service .. '|' .. level
    cells[cell] = (cells[cell] or 0) + 1
  end
  return cells
end

-- Counters and stream live and die together. If they disagree somebody else has touched one of them (or nothing is
-- there yet): begin anew with what the stream holds.
local function settle()
  local flat, since = redis.call('HGETALL', counters), nil
  local total = { received = 0, superseded = 0, dropped = 0 }
  for i = 1, #flat, 2 do
    local kind = string.match(flat[i], '^(%a+)|')
    if kind then
      total[kind] = total[kind] + tonumber(flat[i + 1])
    elseif flat[i] == 'since' then
      since = flat[i + 1]
    end
  end
  local length = redis.call('XLEN', stream)
  if since and total.received - total.superseded - total.dropped == length then
    return since, total.received - total.dropped
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        now = math.max(now, tonumber(string.match(info[i + 1], '^%d+')) + 1)
      end
    end
  end
  since = string.format('%.0f', now)
  redis.call('DEL', counters)
  redis.call('HSET', counters, 'since', since)
  for cell, count in pairs(by_cell(redis.call('XRANGE', stream, '-', '+'))) do
    redis.call('HSET', counters, 'received|' .. cell, count)
  end
  return since, length
end

local since, arrivals = settle()

if ARGV[1] ~= 'write' then
  local kept, entries = {}, redis.call('XREVRANGE', stream, '+', '-')
  for cell, count in pairs(by_cell(entries)) do
    table.insert(kept, cell)
    table.insert(kept, count)
  end
  return { redis.call('HGETALL', counters), kept, ARGV[1] == 'read' and entries or {} }
end

local cap, batch, memory, cells = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
-- A sink that lost the connection cannot know whether its batch went in, and sends it again.
if tonumber(redis.call('GET', KEYS[3]) or '0') >= batch then
  return 'repeated'
end
redis.call('SET', KEYS[3], ARGV[3], 'EX', memory)

local function count(kind, cell, amount)
  if tonumber(amount) > 0 then
    redis.call('HINCRBY', counters, kind .. '|' .. cell, amount)
  end
end

local at = 6
for _ = 1, cells do
  local cell = ARGV[at] .. '|' .. ARGV[at + 1]
  count('received', cell, ARGV[at + 2])
  count('superseded', cell, ARGV[at + 3])
  count('dropped', cell, ARGV[at + 4])
  arrivals = arrivals + tonumber(ARGV[at + 3])
  at = at + 5
end

local overflow = redis.call('XLEN', stream) + (#ARGV - at + 1) / 3 - cap
if overflow > 0 then
  for cell, amount in pairs(by_cell(redis.call('XRANGE', stream, '-', '+', 'COUNT', overflow))) do
    count('superseded', cell, amount)
  end
end
for i = at, #ARGV, 3 do
  arrivals = arrivals + 1
  redis.call('XADD', stream, 'MAXLEN', '=', cap, since .. '-' .. string.format('%.0f', arrivals),
    'service', ARGV[i], 'level', ARGV[i + 1], 'entry', ARGV[i + 2])
end
return 'written'
