-- The answers that are up for a certificate.
--
-- KEYS  1 the certificate's answers by their end
-- Gives {answer, ...}, each as JSON.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
