// An echo server for WASI preview 1, with nothing but the standard library. Its
// listener is descriptor 3. It serves one connection after the other.
//
// rustc --target wasm32-wasi -O -o echo.wasm echo.rs
// (since Rust 1.84 the target is called wasm32-wasip1)

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::wasi::io::FromRawFd;

fn main() -> std::io::Result<()> {
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    for connection in listener.incoming() {
        let mut connection = connection?;
        let mut buffer = [0; 65536];
        loop {
            let length = connection.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            connection.write_all(&buffer[..length])?;
        }
    }
    Ok(())
}
