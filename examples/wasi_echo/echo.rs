// An echo server for WASI preview 1, with nothing but the standard library. Its
// listener is descriptor 3. It serves one connection after the other.
//
// rustc --target wasm32-wasi -O -o echo.wasm echo.rs
// (since Rust 1.84 the target is called wasm32-wasip1)

use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::wasi::io::FromRawFd;

fn main() -> Result<()> {
    let listener = unsafe { TcpListener::from_raw_fd(3) };
    for connection in listener.incoming() {
        // A reset ends one connection, and not the server.
        if let Err(error) = echo(connection?) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn echo(mut connection: TcpStream) -> Result<()> {
    let mut buffer = [0; 65536];
    loop {
        let length = connection.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..length])?;
    }
}
