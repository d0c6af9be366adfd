-- Takes a node off the list.
--
-- KEYS  1 the node  2 the index of nodes
-- ARGV  1 node id
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
