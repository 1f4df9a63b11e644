//! Servers that are attached to while clients ask them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::load::{self, Question, Seen};
use crate::until;

/// A server that runs. With it all of its family end.
pub(crate) struct Service {
    server: Child,
    directory: TempDir,
    work: Work,
}

pub(crate) enum Work {
    Questions(Question),
    /// pgbench, at this port.
    Transactions(PathBuf, u16),
}

/// What starts a server in a directory of its own, at a port; `None` if it is not
/// installed.
pub(crate) type Start = fn(&Path, u16) -> Option<(Command, Work)>;

pub(crate) const SERVICES: [(&str, Start); 6] = [
    ("redis", redis),
    ("nginx, 2 workers", nginx),
    ("gunicorn, 2 workers", gunicorn),
    ("node cluster, 2 workers", node),
    ("PostgreSQL, pgbench with 4 clients", postgres),
    ("JVM with 200 threads and a child", java),
];

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn http(port: u16) -> Work {
    Work::Questions(Question {
        port,
        text: GET,
        ends: load::is_http,
        reconnects: false,
    })
}

/// The path of a program, if it is installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join(name));
    candidates.find(|path| path.is_file())
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn redis(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let mut command = Command::new(program("redis-server")?);
    command.args(["--port", &port.to_string(), "--save", "", "--dir"]);
    command.arg(directory);
    let question = Question {
        port,
        text: "INCR count\r\n",
        ends: load::is_line,
        reconnects: false,
    };
    Some((command, Work::Questions(question)))
}

fn nginx(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let mut command = Command::new(program("nginx")?);
    let at = directory.display();
    let text = format!(
        "worker_processes 2; pid {at}/pid; error_log {at}/errors; daemon off; events {{}}\n\
         http {{ access_log off; keepalive_requests 100000000;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }} }}\n"
    );
    command.arg("-p").arg(directory);
    command.arg("-c").arg(write(directory, "conf", &text));
    Some((command, http(port)))
}

fn gunicorn(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let mut command = Command::new(program("gunicorn")?);
    let app = "def app(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    \
               return [b'ok']\n";
    write(directory, "app.py", app);
    command.args(["-w", "2", "-b", &format!("127.0.0.1:{port}"), "app:app"]);
    command.current_dir(directory);
    let question = Question {
        port,
        text: GET,
        ends: load::is_http,
        // Its workers close each.
        reconnects: true,
    };
    Some((command, Work::Questions(question)))
}

fn node(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let mut command = Command::new(program("node")?);
    let text = format!(
        "const cluster = require('cluster');\n\
         if (cluster.isPrimary) {{ cluster.fork(); cluster.fork(); }}\n\
         else require('http').createServer((_, answer) => {{\n\
         answer.setHeader('Content-Length', 2); answer.end('ok'); }})\n\
         .listen({port}, '127.0.0.1');\n"
    );
    command.arg(write(directory, "server.js", &text));
    Some((command, http(port)))
}

const SERVER: &str = "
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
public class Server {
    public static void main(String[] arguments) throws Exception {
        new ProcessBuilder(\"sleep\", \"1000\").start();
        int port = Integer.parseInt(arguments[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress(\"127.0.0.1\", port), 0);
        var pool = Executors.newFixedThreadPool(200);
        for (int i = 0; i < 200; i++) pool.submit(() -> { });
        server.setExecutor(pool);
        server.createContext(\"/\", exchange -> {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write(\"ok\".getBytes());
            exchange.close();
        });
        server.start();
    }
}
";

fn java(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let mut command = Command::new(program("java")?);
    let server = write(directory, "Server.java", SERVER);
    command.args(["-Xss256k", "-Dsun.net.httpserver.nodelay=true"]);
    command.arg(server).arg(port.to_string());
    Some((command, http(port)))
}

/// The newest directory of PostgreSQL's programs.
fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|path| path.join("postgres").is_file())
        .collect();
    found.sort();
    found.pop()
}

fn postgres(directory: &Path, port: u16) -> Option<(Command, Work)> {
    let programs = postgres_programs()?;
    // It refuses to run as root.
    let user = nix::unistd::User::from_name("postgres").ok()??;
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let as_user = |name: &str| {
        let mut command = Command::new(programs.join(name));
        command.uid(uid).gid(gid).current_dir(directory);
        command
    };
    chown(directory, Some(uid), Some(gid)).ok()?;
    let mut init = as_user("initdb");
    init.args(["-D", "db", "-A", "trust", "-N"]);
    let made = init.stdout(Stdio::null()).status().ok()?;
    let mut command = as_user("postgres");
    command.args(["-D", "db", "-k", ".", "-c", "fsync=off", "-p"]);
    command.arg(port.to_string());
    let work = Work::Transactions(programs.join("pgbench"), port);
    made.success().then_some((command, work))
}

/// Run pgbench; what it prints.
fn pgbench(program: &Path, port: u16, words: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p"]);
    command.arg(port.to_string()).args(words).arg("postgres");
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

impl Service {
    /// Start a server and wait until it listens; `None` if it is not installed.
    pub(crate) fn start(start: Start) -> Option<Service> {
        let directory = TempDir::new().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).unwrap();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (mut command, work) = start(directory.path(), port)?;
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // So that all of its family can be ended.
        command.process_group(0);
        let server = command.spawn().ok()?;
        let service = Service {
            server,
            directory,
            work,
        };
        until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        if let Work::Transactions(program, port) = &service.work {
            until(|| pgbench(program, *port, &["-i", "-q"]).is_some());
        }
        // All of its family are there, and it has come to rest.
        service.work(Duration::from_millis(500));
        Some(service)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Have it work for so long.
    pub(crate) fn work(&self, time: Duration) -> Seen {
        match &self.work {
            Work::Questions(question) => load::load(*question, time),
            Work::Transactions(program, port) => {
                let seconds = time.as_secs().max(1).to_string();
                let words = ["-n", "-S", "-c", "4", "-j", "2", "-T", &seconds];
                let text = pgbench(program, *port, &words).expect("pgbench runs");
                let (_, rate) = text.split_once("tps = ").unwrap();
                let rate = rate.split(' ').next().unwrap().parse().unwrap();
                Seen {
                    rate,
                    slowest: None,
                }
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        // PostgreSQL's backends have groups of their own, and end with its head.
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGINT);
        for _ in 0..100 {
            if matches!(self.server.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.server.wait();
        let _ = self.directory.path();
    }
}
