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
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, ""))
	if err != nil {
		log.Fatal(err)
	}
	echo := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(echo)))
}
