ask() { curl -s --unix-socket socket http://x/; }
start() {
  cat >server.erl <<'C'
-module(server).
-export([main/0]).
main() ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}, {ifaddr, {local, "socket"}}]),
    accept(Listen).
accept(Listen) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    {ok, _} = gen_tcp:recv(Socket, 0),
    Port = open_port({spawn, "sh -c 'echo said; exit 3'"}, [exit_status, {line, 80}]),
    Said = receive {Port, {data, {_, Line}}} -> Line end,
    Status = receive {Port, {exit_status, S}} -> S end,
    Answer = io_lib:format("HTTP/1.0 200 OK\r\n\r\n~s ~p ~s", [Said, Status, os:cmd("echo cmd")]),
    gen_tcp:send(Socket, Answer),
    gen_tcp:close(Socket),
    accept(Listen).
C
  erlc server.erl
  erl -noshell -kernel logger_level critical -s server main &
  master=$!
  until_ok ask
}
work() { for i in 1 2 3 4 5 6 7 8; do ask; done; }
stop() { kill -TERM "$master"; until_ok gone "$master"; }
