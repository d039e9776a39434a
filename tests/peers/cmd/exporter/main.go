// Command exporter runs many Prometheus exporters in one process, on a list of
// loopback addresses such as 127.1.2.3:8080. The list can be replaced at run time,
// for pods that are created and deleted.
//
// Every address answers every path with a few metrics. The metrics describe the
// request and its address. Every address counts its scrapes.
//
// Admin API:
//
//	PUT /addresses   replaces the list; the body has one address per line
//	GET /scrapes     {address: number of scrapes}, also for removed addresses
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("exporter: ")
	admin := flag.String("admin", "127.0.0.1:0", "address of the admin API")
	addresses := flag.String("addresses", "", "file with the first addresses, one a line")
	flag.Parse()

	fleet := &fleet{servers: map[string]*http.Server{}, scrapes: map[string]int{}}
	if *addresses != "" {
		file, err := os.Open(*addresses)
		if err != nil {
			log.Fatal(err)
		}
		if err := fleet.replace(file); err != nil {
			log.Fatal(err)
		}
		file.Close()
	}

	http.HandleFunc("PUT /addresses", func(response http.ResponseWriter, request *http.Request) {
		if err := fleet.replace(request.Body); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
		}
	})
	http.HandleFunc("GET /scrapes", func(response http.ResponseWriter, _ *http.Request) {
		fleet.mutex.Lock()
		defer fleet.mutex.Unlock()
		response.Header().Set("Content-Type", "application/json")
		json.NewEncoder(response).Encode(fleet.scrapes)
	})
	listener, err := net.Listen("tcp", *admin)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

// fleet has the listening exporters, and the number of scrapes of all addresses.
type fleet struct {
	mutex   sync.Mutex
	servers map[string]*http.Server
	scrapes map[string]int
}

// replace makes the fleet listen on exactly the addresses of the reader.
// Addresses that stay keep their connections. If the fleet cannot listen on an
// address, the earlier addresses of the list stay added.
func (f *fleet) replace(list io.Reader) error {
	wanted := map[string]bool{}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if address := strings.TrimSpace(lines.Text()); address != "" {
			wanted[address] = true
		}
	}

	f.mutex.Lock()
	defer f.mutex.Unlock()
	for address, server := range f.servers {
		if !wanted[address] {
			server.Close()
			delete(f.servers, address)
		}
	}
	for address := range wanted {
		if f.servers[address] != nil {
			continue
		}
		if err := f.listen(address); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) listen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("not a loopback address: %s", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		f.mutex.Lock()
		f.scrapes[address]++
		f.mutex.Unlock()
		writeMetrics(response, address, request)
	})}
	f.servers[address] = server
	f.scrapes[address] += 0 // listed from the start, as never scraped
	go server.Serve(listener)
	return nil
}

// writeMetrics answers a scrape. It quotes label values like Go. For printable text
// this equals the exposition format.
func writeMetrics(response http.ResponseWriter, address string, request *http.Request) {
	response.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(response, `# TYPE exporter_info gauge
exporter_info{address=%q} 1
# TYPE exporter_request_info gauge
exporter_request_info{address=%q,path=%q,query=%q,authorization=%q} 1
# TYPE exporter_requests_total counter
exporter_requests_total{code="200"} 42
exporter_requests_total{code="500"} 7
`, address, address, request.URL.Path, request.URL.Query().Encode(), request.Header.Get("Authorization"))
}
