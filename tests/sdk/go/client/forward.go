package main

import (
	"io"
	"net"
)

// forward carries bytes both ways until one side ends.
func forward(client net.Conn, port string) {
	defer client.Close()
	sidecar, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer sidecar.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{sidecar, client}, {client, sidecar}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}
