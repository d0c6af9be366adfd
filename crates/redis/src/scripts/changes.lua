-- Which certificates changed or went after a position, and where the store stands: one consistent answer.
--
-- The incarnation is made on first use. A position of another incarnation, or ahead of the epoch,
-- counts in a life of the data that is gone; then all certificates are named.
--
-- KEYS  1 the incarnation  2 the epoch  3 the change index  4 the index of removals
-- ARGV  1 an incarnation to begin with  2 the position's incarnation (or empty)  3 its epoch
-- Gives {incarnation, epoch, '1' if these are all, {changed id, ...}, {removed id, ...}} with the
-- oldest first.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local incarnation = redis.call('GET', KEYS[1])
local epoch = redis.call('GET', KEYS[2]) or '0'

if incarnation ~= ARGV[2] or tonumber(ARGV[3]) > tonumber(epoch) then
  return {incarnation, epoch, '1',
    redis.call('ZRANGE', KEYS[3], 0, -1), redis.call('ZRANGE', KEYS[4], 0, -1)}
end
return {incarnation, epoch, '0',
  redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[3], '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[3], '+inf')}
