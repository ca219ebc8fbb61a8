-- For wrk: requests behind a header of the PROXY protocol, version 2, from 192.0.2.1:1025 to 192.0.2.2:80.

local header = "\r\n\r\n\0\r\nQUIT\n\33\17\0\12\192\0\2\1\192\0\2\2\4\1\0\80"
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("isAsked", threads == 1)
end

-- Of the first thread wrk asks for one request beforehand, which has to be HTTP, and does not send it.
function request()
  local http = wrk.format("GET", "/", { Connection = "close" })
  if isAsked then
    isAsked = false
    return http
  end
  return header .. http
end
