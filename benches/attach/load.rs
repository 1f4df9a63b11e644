//! Clients that ask a server over and over: how often it answered, and how long
//! the slowest hundredth of the answers took.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// How many clients ask at a time.
const CLIENTS: usize = 4;
/// No answer takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients saw.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// Answers a second.
    pub(crate) rate: f64,
    /// The 99th percentile of the time to an answer; `None` if it is not known.
    pub(crate) slowest: Option<Duration>,
}

/// What is asked, and how the end of an answer is known.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) port: u16,
    pub(crate) text: &'static str,
    pub(crate) ends: fn(&[u8]) -> bool,
    /// Each question has a connection of its own.
    pub(crate) reconnects: bool,
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, question: Question) {
    let mut answer = Vec::new();
    let mut room = [0; 4096];
    stream.write_all(question.text.as_bytes()).unwrap();
    while !(question.ends)(&answer) {
        let count = stream.read(&mut room).expect("the server answers");
        assert!(count > 0, "the server has closed the connection");
        answer.extend(room.iter().take(count));
    }
}

fn client(question: Question, time: Duration) -> Vec<Duration> {
    let mut stream = connect(question.port);
    let (begun, mut taken) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let asked = Instant::now();
        if question.reconnects && !taken.is_empty() {
            stream = connect(question.port);
        }
        ask(&mut stream, question);
        taken.push(asked.elapsed());
    }
    taken
}

/// Ask for so long.
pub(crate) fn load(question: Question, time: Duration) -> Seen {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| thread::spawn(move || client(question, time)))
        .collect();
    let taken = clients.into_iter().map(|client| client.join().unwrap());
    let mut taken: Vec<Duration> = taken.flatten().collect();
    taken.sort_unstable();
    Seen {
        rate: taken.len() as f64 / time.as_secs_f64(),
        slowest: taken.get(taken.len() * 99 / 100).copied(),
    }
}

/// An answer of HTTP whose body is `ok`.
pub(crate) fn is_http(answer: &[u8]) -> bool {
    answer.ends_with(b"\r\n\r\nok")
}

/// A line.
pub(crate) fn is_line(answer: &[u8]) -> bool {
    answer.ends_with(b"\r\n")
}
