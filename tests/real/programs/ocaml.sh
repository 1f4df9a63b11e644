cat >tool.ml <<'C'
let status = function
  | Unix.WEXITED n -> Printf.sprintf "exited %d" n
  | Unix.WSIGNALED n -> Printf.sprintf "signal %d" n
  | Unix.WSTOPPED n -> Printf.sprintf "stopped %d" n
let () =
  print_endline (string_of_int (Sys.command "exit 3"));
  let input = Unix.open_process_in "echo read; exit 4" in
  print_endline (input_line input);
  print_endline (status (Unix.close_process_in input));
  let output = Unix.open_process_out "cat" in
  output_string output "written\n";
  print_endline (status (Unix.close_process_out output));
  let pid = Unix.create_process "sleep" [| "sleep"; "100" |] Unix.stdin Unix.stdout Unix.stderr in
  Unix.kill pid Sys.sigterm;
  print_endline (status (snd (Unix.waitpid [] pid)));
  flush stdout;
  match Unix.fork () with
  | 0 -> Unix._exit 5
  | pid -> print_endline (status (snd (Unix.waitpid [] pid)))
C
ocaml unix.cma tool.ml
if command -v dune >/dev/null; then
  echo '(lang dune 2.0)' >dune-project
  echo '(executable (name tool) (libraries unix)) (rule (alias runtest) (action (run ./tool.exe)))' >dune
  dune build --root . 2>/dev/null ./tool.exe
  echo "dune build $?"
  dune runtest --root . 2>&1 | grep -c exited
fi
