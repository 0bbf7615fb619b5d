# SPDX-License-Identifier: GPL-2.0-or-later
# A static program with a server, its clients in 2,000 goroutines, deep stacks; and the compiler itself.
# needs: go
# large
cat >main.go <<'END'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
)

func deep(n int) int {
	if n == 0 {
		return 0
	}
	var room [256]byte
	room[n%256] = 1
	return deep(n-1) + int(room[n%256])
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%d", deep(1000)) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, nil)
	var wait sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	slots := make(chan int, 64)
	for i := 0; i < 2000; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- 1
			defer func() { <-slots }()
			r, err := http.Get("http://" + listener.Addr().String())
			if err != nil {
				panic(err)
			}
			text, _ := io.ReadAll(r.Body)
			r.Body.Close()
			var n int
			fmt.Sscan(string(text), &n)
			lock.Lock()
			sum += n
			lock.Unlock()
		}()
	}
	wait.Wait()
	out, _ := exec.Command("sh", "-c", "echo shell").Output()
	fmt.Println(sum, string(out))
}
END
export GOCACHE=${TMPDIR:-/tmp}/umvu-go-cache CGO_ENABLED=0 GO111MODULE=off HOME=$PWD

go build -o m main.go && ./m && ./m && ./m && go vet main.go
