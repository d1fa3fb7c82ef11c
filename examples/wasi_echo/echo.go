// A web server for WASI preview 1, with nothing but the standard library. Its
// listener is descriptor 3. It needs Go 1.21 or newer.
//
// GOOS=wasip1 GOARCH=wasm go build -o http.wasm echo.go

package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
)

func main() {
	// Unless it is nonblocking already, Go takes it for one to wait in: to accept
	// would keep every goroutine waiting.
	if err := syscall.SetNonblock(3, true); err != nil {
		log.Fatal(err)
	}
	listener, err := net.FileListener(os.NewFile(3, ""))
	if err != nil {
		log.Fatal(err)
	}
	echo := func(w http.ResponseWriter, r *http.Request) {
		// All of it first: net/http drops what is unread once an answer begins.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Write(body)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(echo)))
}
