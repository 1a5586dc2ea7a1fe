//! A small HTTP server for one page: `GET /metrics`.
//!
//! Law: a client takes one of a few threads for a few seconds at most, whatever it sends or does not read; a request is
//! answered and the connection closed.

use super::text;
use crate::stop::{SLICE, Stop};
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Clients served at a time; more wait in the kernel's queue.
const CLIENTS: usize = 8;
/// From a client's coming to its going.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer request is refused.
const REQUEST_BYTES: usize = 16 << 10;

/// Serves what `gather` tells until asked to end.
pub(crate) fn run(
    address: SocketAddr,
    stop: &Stop,
    gather: impl Fn() -> anyhow::Result<String> + Sync,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    // Said where it is seen: port 0 means any that is free.
    writeln!(std::io::stderr(), "qads: serving http://{address}/metrics")?;
    let clients = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        while !stop.is_asked() {
            if clients.load(Ordering::Acquire) >= CLIENTS {
                std::thread::sleep(SLICE);
                continue;
            }
            match listener.accept() {
                Ok((client, _)) => {
                    clients.fetch_add(1, Ordering::AcqRel);
                    let (clients, gather) = (&clients, &gather);
                    scope.spawn(move || {
                        if let Err(error) = answer(client, gather) {
                            tracing::debug!(%error, "a client went without its answer");
                        }
                        clients.fetch_sub(1, Ordering::AcqRel);
                    });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&listener),
                // Out of descriptors, or the client is gone again: others may still come.
                Err(error) => {
                    tracing::warn!(%error, "accepting a client failed");
                    std::thread::sleep(SLICE);
                }
            }
        }
    });
    Ok(())
}

/// Waits for a client, not for long.
fn wait(listener: &TcpListener) {
    let slice = Timespec { tv_sec: 0, tv_nsec: SLICE.subsec_nanos().into() };
    // Whether it was a client, a signal or the time: the loop looks.
    let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&slice));
}

fn answer(mut client: TcpStream, gather: &impl Fn() -> anyhow::Result<String>) -> std::io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    client.set_nonblocking(false)?;
    let request = request(&mut client, deadline)?;
    let response = respond(&request, gather);
    let mut rest = response.as_bytes();
    while !rest.is_empty() {
        client.set_write_timeout(Some(left(deadline)?))?;
        let written = client.write(rest)?;
        rest = &rest[written..];
    }
    client.shutdown(std::net::Shutdown::Write)
}

fn left(deadline: Instant) -> std::io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The request's head; what exceeds [`REQUEST_BYTES`] is left out, and its head has no end then.
fn request(client: &mut TcpStream, deadline: Instant) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while request.len() < REQUEST_BYTES && !is_whole(&request) {
        client.set_read_timeout(Some(left(deadline)?))?;
        match client.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => request.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(request)
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|end| end == b"\r\n\r\n") || request.windows(2).any(|end| end == b"\n\n")
}

fn respond(request: &[u8], gather: &impl Fn() -> anyhow::Result<String>) -> String {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let text = String::from_utf8_lossy(request);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !is_whole(request) || !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return response("400 Bad Request", PLAIN, "expected an HTTP/1.1 request\n", true);
    }
    let with_body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return response("405 Method Not Allowed\r\nAllow: GET, HEAD", PLAIN, "only GET\n", true),
    };
    if target.split('?').next() != Some("/metrics") {
        return response("404 Not Found", PLAIN, "see /metrics\n", with_body);
    }
    let open_metrics = lines.filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("accept") && value.contains("application/openmetrics-text")
    });
    match gather() {
        Ok(metrics) if open_metrics => response(
            "200 OK",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            &metrics,
            with_body,
        ),
        Ok(metrics) => response(
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            &text::classic(&metrics),
            with_body,
        ),
        Err(error) => {
            tracing::warn!("{error:#}");
            response("500 Internal Server Error", PLAIN, &format!("{error:#}\n"), with_body)
        }
    }
}

fn response(status: &str, kind: &str, body: &str, with_body: bool) -> String {
    let length = body.len();
    let body = if with_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: &str) -> String {
        let told = || Ok("# TYPE x counter\nx_total 1\n# EOF\n".to_owned());
        respond(request.as_bytes(), &told)
    }

    #[test]
    fn metrics_are_told_in_the_form_that_is_asked_for() {
        let old = asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(old.starts_with("HTTP/1.1 200 OK\r\n") && old.contains("version=0.0.4"), "{old}");
        assert!(old.ends_with("\r\n\r\n# TYPE x_total counter\nx_total 1\n"), "{old}");
        let new = asked(
            "GET /metrics?x=1 HTTP/1.1\r\nACCEPT: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n",
        );
        assert!(new.contains("application/openmetrics-text") && new.ends_with("# EOF\n"), "{new}");
    }

    #[test]
    fn a_head_has_no_body() {
        let head = asked("HEAD /metrics HTTP/1.0\r\n\r\n");
        assert!(head.contains("Content-Length: 33\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn everything_else_is_refused() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /metrics\r\n\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\nHost: unfinished", "400"),
            ("\u{0}\u{1}\r\n\r\n", "400"),
            ("", "400"),
        ] {
            assert!(asked(request).starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}");
        }
        let broken = respond(b"GET /metrics HTTP/1.1\r\n\r\n", &|| Err(anyhow::anyhow!("no folder")));
        assert!(broken.starts_with("HTTP/1.1 500 ") && broken.ends_with("no folder\n"), "{broken}");
    }
}
