-- All writes and reads of the recorder, each in one atomic step: no reader ever sees more than `cap` entries, more than
-- `share` entries about one group of faults, or counters that disagree with the stream.
--
-- KEYS  1 the stream, 2 its counters, 3 the last batch of the calling sink (write only)
-- ARGV  1 "stats" (counters and what is kept by cell) or "read" (the same, and the entries, newest first)
--       1 "close", 2 share, 3 window (ms): write the final count of faults whose window is over
--       1 "write", 2 share, 3 window (ms), 4 cap, 5 number of this batch, 6 seconds to remember that number,
--         7 number of cells, 8 number of faults, then service, level, received, superseded, dropped of each cell,
--         then service, level, kind, count, entry of each fault, then service, level, entry of each entry
--
-- An entry's id is <epoch>-<sequence>: when this buffer began to fill (ms), and the number of the arrival.
-- Two ids of one epoch show how many entries lie between them. An id of another epoch shows that the buffer was
-- emptied in between.
--
-- Faults of one kind, <group>.<name>, are one entry in a window. The first is appended; those after it are counted as
-- superseded, and as `folded`: they have no sequence number. When the window is over, an entry with their number replaces
-- the first. Of one group at most `share` entries are kept; the oldest of them are removed.
local stream, counters = KEYS[1], KEYS[2]

local function field_of(item, name)
  for i = 1, #item[2], 2 do
    if item[2][i] == name then
      return item[2][i + 1]
    end
  end
end

local function cell_of(item)
  return (field_of(item, 'service') or 'unknown') .. '|' .. (field_of(item, 'level') or 'unknown')
end

local function by_cell(entries)
  local cells = {}
  for _, item in ipairs(entries) do
    local cell = cell_of(item)
    cells[cell] = (cells[cell] or 0) + 1
  end
  return cells
end

local function milliseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Counters and stream belong together. If they disagree, another program changed one of them (or both are empty):
-- restart the counters with the content of the stream.
local function settle()
  local flat, epoch = redis.call('HGETALL', counters), nil
  local total = { received = 0, superseded = 0, dropped = 0 }
  local windows, shares, folded = {}, {}, 0
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    local what, of = string.match(name, '^(%a+)|(.+)$')
    if total[what] then
      total[what] = total[what] + tonumber(value)
    elseif what == 'open' then
      windows[of] = value
    elseif what == 'share' then
      shares[of] = {}
      for id in string.gmatch(value, '%S+') do table.insert(shares[of], id) end
    elseif name == 'folded' then
      folded = tonumber(value)
    elseif name == 'since' then
      epoch = value
    end
  end
  local length = redis.call('XLEN', stream)
  if epoch and total.received - total.superseded - total.dropped == length then
    return epoch, total.received - total.dropped - folded, windows, shares
  end
  local now = milliseconds()
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        now = math.max(now, tonumber(string.match(info[i + 1], '^%d+')) + 1)
      end
    end
  end
  epoch = string.format('%.0f', now)
  redis.call('DEL', counters)
  redis.call('HSET', counters, 'since', epoch)
  local entries = redis.call('XRANGE', stream, '-', '+')
  for cell, count in pairs(by_cell(entries)) do
    redis.call('HSET', counters, 'received|' .. cell, count)
  end
  shares = {}
  for _, item in ipairs(entries) do
    local group = string.match(field_of(item, 'kind') or '', '^%a+')
    if group then
      shares[group] = shares[group] or {}
      table.insert(shares[group], item[1])
    end
  end
  return epoch, length, {}, shares
end

local epoch, arrivals, windows, shares = settle()

if ARGV[1] == 'stats' or ARGV[1] == 'read' then
  local kept, entries = {}, redis.call('XREVRANGE', stream, '+', '-')
  for cell, count in pairs(by_cell(entries)) do
    table.insert(kept, cell)
    table.insert(kept, count)
  end
  return { redis.call('HGETALL', counters), kept, ARGV[1] == 'read' and entries or {} }
end

local share, window, now = tonumber(ARGV[2]), tonumber(ARGV[3]), milliseconds()

local function count(what, cell, amount)
  if tonumber(amount) > 0 then
    redis.call('HINCRBY', counters, what .. '|' .. cell, amount)
  end
end

local function append(service, level, entry, ...)
  arrivals = arrivals + 1
  local id = epoch .. '-' .. string.format('%.0f', arrivals)
  redis.call('XADD', stream, id, 'service', service, 'level', level, 'entry', entry, ...)
  return id
end

-- Make room for `amount` entries.
local function make_room(cap, amount)
  local overflow = redis.call('XLEN', stream) + amount - cap
  if overflow > 0 then
    for cell, gone in pairs(by_cell(redis.call('XRANGE', stream, '-', '+', 'COUNT', overflow))) do
      count('superseded', cell, gone)
    end
    redis.call('XTRIM', stream, 'MAXLEN', '=', cap - amount)
  end
end

local function ids_of(kind)
  local group = string.match(kind, '^%a+')
  shares[group] = shares[group] or {}
  return shares[group], 'share|' .. group
end

-- Make room for one entry of the kind's group among the faults.
local function make_room_in_group(kind)
  local ids = ids_of(kind)
  while #ids >= share do
    local oldest = table.remove(ids, 1)
    local item = redis.call('XRANGE', stream, oldest, oldest)[1]
    if item then
      redis.call('XDEL', stream, oldest)
      count('superseded', cell_of(item), 1)
    end
  end
end

-- Append an entry about faults; it replaces the entry with the id `replaced`, if given.
local function append_fault(service, level, entry, kind, amount, replaced)
  local ids, field = ids_of(kind)
  local id
  if replaced then
    for i = #ids, 1, -1 do
      if ids[i] == replaced then table.remove(ids, i) end
    end
    id = append(service, level, entry, 'kind', kind, 'count', amount, 'replaces', replaced)
  else
    id = append(service, level, entry, 'kind', kind, 'count', amount)
  end
  table.insert(ids, id)
  redis.call('HSET', counters, field, table.concat(ids, ' '))
  return id
end

-- Close the window of faults `of` (service|level|kind). If its entry shows a smaller number, write the final one.
local function close(of)
  local id, shown, total = string.match(windows[of], '^%d+ (%S+) (%d+) (%d+)$')
  windows[of] = nil
  redis.call('HDEL', counters, 'open|' .. of)
  local first = redis.call('XRANGE', stream, id, id)[1]
  if shown == total or not first then
    return
  end
  local service, level, kind = string.match(of, '^([^|]+)|([^|]+)|(.+)$')
  redis.call('XDEL', stream, id)
  redis.call('HINCRBY', counters, 'folded', -1)
  append_fault(service, level, field_of(first, 'entry'), kind, total, id)
end

local over = {}
for of, state in pairs(windows) do
  if tonumber(string.match(state, '^%d+')) <= now then table.insert(over, of) end
end
for _, of in ipairs(over) do close(of) end
if ARGV[1] == 'close' then
  return 'closed'
end

local cap, batch, memory = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local cells, faults = tonumber(ARGV[7]), tonumber(ARGV[8])
-- A sink that lost the connection cannot know whether its batch was written, and sends it again.
if tonumber(redis.call('GET', KEYS[3]) or '0') >= batch then
  return 'repeated'
end
redis.call('SET', KEYS[3], ARGV[5], 'EX', memory)

local at = 9
for _ = 1, cells do
  local cell = ARGV[at] .. '|' .. ARGV[at + 1]
  count('received', cell, ARGV[at + 2])
  count('superseded', cell, ARGV[at + 3])
  count('dropped', cell, ARGV[at + 4])
  arrivals = arrivals + tonumber(ARGV[at + 3])
  at = at + 5
end

-- Whether newer entries have superseded the one about these faults: then the next fault gets its own entry.
local function is_superseded(id)
  return #redis.call('XRANGE', stream, id, id) == 0
end

for _ = 1, faults do
  local service, level, kind, entry = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  local amount, cell = tonumber(ARGV[at + 3]), service .. '|' .. level
  local of = cell .. '|' .. kind
  local folded = amount
  if windows[of] and not is_superseded(string.match(windows[of], ' (%S+)')) then
    local till, id, shown, total = string.match(windows[of], '^(%d+) (%S+) (%d+) (%d+)$')
    windows[of] = string.format('%s %s %s %.0f', till, id, shown, tonumber(total) + amount)
  else
    make_room_in_group(kind)
    make_room(cap, 1)
    local id = append_fault(service, level, entry, kind, amount)
    windows[of] = string.format('%.0f %s %.0f %.0f', now + window, id, amount, amount)
    folded = amount - 1
  end
  redis.call('HSET', counters, 'open|' .. of, windows[of])
  count('superseded', cell, folded)
  if folded > 0 then
    redis.call('HINCRBY', counters, 'folded', folded)
  end
  at = at + 5
end

local entries = (#ARGV - at + 1) / 3
make_room(cap, entries)
for i = at, #ARGV, 3 do
  append(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return 'written'
