package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// dnsServer is where the system's configuration must say that the DNS is.
const dnsServer = "127.0.0.53:53"

// names answers questions by chance, the same for the same seed.
func names(seedText, countText, path string) error {
	seed, count, err := numbers(seedText, countText)
	if err != nil {
		return err
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		_, overTCP := w.RemoteAddr().(*net.TCPAddr)
		// A client that goes away is not the server's fault.
		_ = w.WriteMsg(dnsAnswer(seed, question, overTCP))
	})
	failed := make(chan error, 2)
	for _, network := range []string{"udp", "tcp"} {
		ready := make(chan struct{})
		server := &dns.Server{Addr: dnsServer, Net: network, Handler: handler, NotifyStartedFunc: func() { close(ready) }}
		go func() { failed <- server.ListenAndServe() }()
		select {
		case <-ready:
		case err := <-failed:
			return err
		}
	}
	var cases []any
	for i := range count {
		g := generator{rand.New(rand.NewPCG(seed, uint64(i)))}
		name := g.one("n%d", "a.n%d", "a.b.n%d", "a.b.c.n%d", "n%d.", "a.n%d.", "_http._tcp.n%d")
		sd := map[string]any{"names": []string{fmt.Sprintf(name, i)}, "port": 80 + g.IntN(3), "refresh_interval": "1h"}
		if kind := g.one("A", "AAAA", "SRV", "MX", "NS", "a", "srv", ""); kind != "" {
			sd["type"] = kind
		}
		cases = append(cases, map[string]any{"dns_sd_configs": []any{sd}})
	}
	if err := writeCases(path, cases); err != nil {
		return err
	}
	return <-failed
}

func dnsAnswer(seed uint64, question *dns.Msg, overTCP bool) *dns.Msg {
	asked := question.Question[0]
	hash := fnv.New64()
	fmt.Fprint(hash, strings.ToLower(asked.Name), asked.Qtype)
	g := generator{rand.New(rand.NewPCG(seed, hash.Sum64()))}
	answer := new(dns.Msg).SetReply(question)
	answer.RecursionAvailable = true
	answer.Authoritative = g.chance(2)
	header := func(kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: asked.Name, Rrtype: kind, Class: dns.ClassINET, Ttl: uint32(g.IntN(60))}
	}
	soa := &dns.SOA{Hdr: header(dns.TypeSOA), Ns: "ns.", Mbox: "m.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 1}
	soa.Hdr.Name = "."
	switch n := g.IntN(20); {
	case n < 8:
		answer.Rcode = dns.RcodeNameError
		if g.chance(2) {
			answer.Ns = append(answer.Ns, soa)
		}
		return answer
	case n < 10:
		if g.chance(2) {
			answer.Ns = append(answer.Ns, soa)
		}
		return answer
	case n < 12:
		answer.Rcode = []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented, dns.RcodeFormatError}[g.IntN(4)]
		return answer
	}
	count := 1 + g.IntN(4)
	if g.chance(12) {
		count = 150
	}
	if g.chance(8) {
		answer.Answer = append(answer.Answer, &dns.TXT{Hdr: header(dns.TypeTXT), Txt: []string{"x"}})
	}
	for i := range count {
		if record := g.record(asked.Qtype, header(asked.Qtype), i); record != nil {
			answer.Answer = append(answer.Answer, record)
		}
	}
	if !overTCP {
		size := dns.MinMsgSize
		if edns := question.IsEdns0(); edns != nil {
			size = int(edns.UDPSize())
		}
		answer.Truncate(size)
	}
	return answer
}

func (g generator) record(kind uint16, header dns.RR_Header, i int) dns.RR {
	target := g.one("web-%d.shop.", "%d.", "Mixed-%d.Case.", "a.b.c.d.e%d.")
	target = fmt.Sprintf(target, i)
	switch kind {
	case dns.TypeA:
		return &dns.A{Hdr: header, A: net.IPv4(10, 0, byte(i), byte(g.IntN(256)))}
	case dns.TypeAAAA:
		address := fmt.Sprintf(g.one("2001:db8::%x", "fd00:0:0:1::%x", "::ffff:10.0.0.%d", "::%x"), i)
		return &dns.AAAA{Hdr: header, AAAA: net.ParseIP(address)}
	case dns.TypeSRV:
		return &dns.SRV{Hdr: header, Priority: uint16(g.IntN(3)), Weight: uint16(g.IntN(3)), Port: uint16(g.IntN(65536)), Target: target}
	case dns.TypeMX:
		return &dns.MX{Hdr: header, Preference: uint16(g.IntN(3)), Mx: target}
	case dns.TypeNS:
		return &dns.NS{Hdr: header, Ns: target}
	default:
		return nil
	}
}
