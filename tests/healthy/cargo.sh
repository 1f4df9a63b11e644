export CARGO_TARGET_DIR="$PWD/target"
cargo init -q --vcs none --name tiny tiny 2>/dev/null
cd tiny
cat >build.rs <<'R'
fn main() {
    let status = std::process::Command::new("true").status().unwrap();
    assert!(status.success());
    println!("cargo::rerun-if-changed=build.rs");
}
R
cat >src/main.rs <<'R'
use std::process::{Command, Stdio};
fn main() {
    let output = Command::new("echo").arg("spawned").output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let mut child = Command::new("sleep").arg("10").spawn().unwrap();
    child.kill().unwrap();
    println!("{}", child.wait().unwrap());
    assert!(child.kill().is_ok());
    let mut child = Command::new("sh").args(["-c", "exit 3"]).stdin(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() { std::thread::sleep(std::time::Duration::from_millis(5)); }
    println!("{}", child.wait().unwrap());
    println!("{:?}", Command::new("/nonexistent/program").spawn().unwrap_err().kind());
}
R
cargo -q build --offline && cargo -q run --offline && cargo -q test --offline >/dev/null
echo $?
echo 'nonsense' >>src/main.rs
cargo -q build --offline 2>/dev/null
echo $?
