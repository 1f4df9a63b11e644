cat >ports.erl <<'C'
-module(ports).
-export([main/0]).
run(Command) ->
    Port = open_port({spawn, Command}, [exit_status, {line, 80}]),
    collect(Port, []).
collect(Port, Lines) ->
    receive
        {Port, {data, {_, Line}}} -> collect(Port, [Line | Lines]);
        {Port, {exit_status, Status}} -> io:format("~p ~p~n", [lists:reverse(Lines), Status])
    end.
main() ->
    run("echo hello"),
    run("sh -c 'exit 3'"),
    run("sh -c 'kill -KILL $$'"),
    io:format("~s", [os:cmd("echo cmd; exit 4")]),
    Cat = open_port({spawn, "cat"}, [stream]),
    Cat ! {self(), {command, "through\n"}},
    receive {Cat, {data, Data}} -> io:format("~s", [Data]) end,
    port_close(Cat),
    Self = self(),
    [spawn(fun() -> os:cmd("true"), Self ! done end) || _ <- lists:seq(1, 20)],
    [receive done -> ok end || _ <- lists:seq(1, 20)],
    Long = open_port({spawn, "sleep 100"}, [exit_status]),
    {os_pid, Pid} = erlang:port_info(Long, os_pid),
    os:cmd("kill " ++ integer_to_list(Pid)),
    receive {Long, {exit_status, S}} -> io:format("killed ~p~n", [S]) end,
    halt(5).
C
erlc ports.erl
echo "erlc $?"
erl -noshell -s ports main
echo "erl $?"
