// A UDP echo server on net.UDPConn.
//
//	go build go_datagram.go && ./go_datagram 8001
package main

import (
	"net"
	"os"
	"strconv"
)

const (
	queueBytes  = 4 * 1024 * 1024
	bufferBytes = 64 * 1024
)

func main() {
	port := 8001
	if len(os.Args) > 1 {
		port, _ = strconv.Atoi(os.Args[1])
	}
	address := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	conn, err := net.ListenUDP("udp4", &address)
	if err != nil {
		panic(err)
	}
	conn.SetReadBuffer(queueBytes)
	buffer := make([]byte, bufferBytes)
	for {
		// Without an allocation for the address.
		length, sender, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			continue
		}
		conn.WriteToUDPAddrPort(buffer[:length], sender)
	}
}
