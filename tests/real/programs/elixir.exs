# System.cmd, ports, tasks.
IO.inspect(System.cmd("echo", ["hello"]))
IO.inspect(System.cmd("sh", ["-c", "exit 3"]))
1..10 |> Task.async_stream(fn _ -> System.cmd("true", []) end) |> Enum.count() |> IO.inspect()
port = Port.open({:spawn, "cat"}, [:binary])
send(port, {self(), {:command, "through\n"}})
receive do
  {^port, {:data, data}} -> IO.write(data)
end
Port.close(port)
System.halt(5)
