// Command shards assigns addresses to 1 to 200 collectors, by the hash ring of the
// operator's allocator with its settings.
//
// It prints a line of JSON with the addresses, and a line for each number of
// collectors: their names, and a hash of the list of owners. With -members it
// prints a line for each address instead, for this number of collectors: the
// address, a space, and the owner.
//
// The module in shards-v0.10 builds this file with version 0.10 of the library,
// because a module can use only one version.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/buraksezer/consistent"
	"github.com/cespare/xxhash/v2"
)

// most is the largest number of collectors.
const most = 200

// member is a collector in the ring.
type member string

func (m member) String() string { return string(m) }

type hasher struct{}

func (hasher) Sum64(key []byte) uint64 { return xxhash.Sum64(key) }

// line is the output for a number of collectors.
type line struct {
	Members []string `json:"members"`
	// Owners is the xxhash64, in hexadecimal, of each owner's name with a line
	// feed after it.
	Owners string `json:"owners"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("shards: ")
	seed := flag.Uint64("seed", 1, "what the names and addresses are made from")
	count := flag.Int("count", 100_000, "how many addresses there are")
	members := flag.Int("members", 0, "print the owners for this many collectors")
	flag.Parse()

	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	addresses := make([]string, *count)
	for i := range addresses {
		addresses[i] = address(*seed, i)
	}
	if *members > 0 {
		ring := newRing(names(*seed, *members))
		for _, address := range addresses {
			fmt.Fprintln(out, address, ring.LocateKey([]byte(address)))
		}
		return
	}
	if err := write(json.NewEncoder(out), *seed, addresses); err != nil {
		log.Fatal(err)
	}
}

func write(encoder *json.Encoder, seed uint64, addresses []string) error {
	if err := encoder.Encode(addresses); err != nil {
		return err
	}
	for n := 1; n <= most; n++ {
		made := line{Members: names(seed, n)}
		ring := newRing(made.Members)
		owners := xxhash.New()
		for _, address := range addresses {
			_, _ = owners.WriteString(ring.LocateKey([]byte(address)).String() + "\n")
		}
		made.Owners = fmt.Sprintf("%016x", owners.Sum64())
		if err := encoder.Encode(made); err != nil {
			return err
		}
	}
	return nil
}

// names returns the collectors: pods of a StatefulSet for odd numbers, of a DaemonSet
// for even numbers.
func names(seed uint64, count int) []string {
	var all []string
	for i := range count {
		if count%2 == 1 {
			all = append(all, fmt.Sprintf("otel-%d-collector-%d", seed, i))
		} else {
			all = append(all, fmt.Sprintf("otel-collector-%05x", xxhash.Sum64String(fmt.Sprintf("%d/%d", seed, i))%(1<<20)))
		}
	}
	return all
}

// address returns the address at a position: of a pod, of a service, or an IPv6 address.
func address(seed uint64, i int) string {
	hash := xxhash.Sum64String(fmt.Sprintf("address %d/%d", seed, i))
	switch i % 3 {
	case 0:
		return fmt.Sprintf("10.%d.%d.%d:%d", hash>>8&255, hash>>16&255, hash>>24&255, 1024+hash>>32%60000)
	case 1:
		return fmt.Sprintf("svc-%x.ns-%d.svc:%d", hash>>32, hash%100, 80+hash>>16&1023)
	}
	return fmt.Sprintf("[fd00::%x:%x]:%d", hash>>16&0xffff, hash>>32&0xffff, 9000+hash>>48&1023)
}

// newRing returns the hash ring with the allocator's parameters.
func newRing(names []string) *consistent.Consistent {
	var members []consistent.Member
	for _, name := range names {
		members = append(members, member(name))
	}
	return consistent.New(members, consistent.Config{
		PartitionCount:    1061,
		ReplicationFactor: 5,
		Load:              1.1,
		Hasher:            hasher{},
	})
}
