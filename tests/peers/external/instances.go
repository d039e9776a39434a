package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// account is what EC2 could answer for one.
type account struct {
	pages []reply
	zones reply
}

func (a account) answer(action, token string) reply {
	if action == "DescribeAvailabilityZones" {
		return a.zones
	}
	for i, page := range a.pages {
		if token == pageToken(i) {
			return page
		}
	}
	return failure(400, "InvalidNextToken")
}

func pageToken(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("page+%d/=", i)
}

func failure(status int, code string) reply {
	body := "<Response><Errors>" + element("Error", element("Code", code)+element("Message", "a & b")) + "</Errors></Response>"
	return reply{status: status, contentType: "text/xml", body: body}
}

func element(name, content string) string { return "<" + name + ">" + content + "</" + name + ">" }

func escaped(text string) string {
	var out strings.Builder
	// A builder takes everything.
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

// maybe is an element that is there, or empty, or not.
func (g generator) maybe(name string, values ...string) string {
	switch g.IntN(5) {
	case 0:
		return ""
	case 1:
		return g.one("<"+name+"/>", element(name, ""))
	default:
		return element(name, escaped(g.one(values...)))
	}
}

func (g generator) account() account {
	var zones string
	for _, zone := range []string{"a", "b"} {
		zones += element("item", element("zoneName", "eu-central-1"+zone)+g.maybe("zoneId", "euc1-az1", "euc1-az2"))
	}
	a := account{zones: answered("DescribeAvailabilityZones", element("availabilityZoneInfo", zones))}
	if g.chance(8) {
		a.zones = failure(403, "UnauthorizedOperation")
	}
	count := 1 + g.IntN(3)
	for i := range count {
		var reservations, token string
		for range g.IntN(3) {
			reservations += g.space() + element("item", g.maybe("ownerId", "1234")+element("instancesSet", g.instances()))
		}
		if i+1 < count {
			token = element("nextToken", pageToken(i+1))
		} else if g.chance(3) {
			token = "<nextToken/>"
		}
		page := answered("DescribeInstances", g.one(element("reservationSet", reservations)+token, token+element("reservationSet", reservations)))
		if g.chance(30) {
			page = g.broken(page)
		}
		a.pages = append(a.pages, page)
	}
	return a
}

func answered(action, content string) reply {
	body := fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n"+
		"  <requestId>r</requestId>%s</%sResponse>", action, content, action)
	return reply{status: 200, contentType: "text/xml;charset=UTF-8", body: body}
}

func (g generator) broken(page reply) reply {
	switch g.IntN(4) {
	case 0:
		return failure(403, "UnauthorizedOperation")
	case 1:
		return failure(400, "InvalidParameterValue")
	case 2:
		// An empty answer is a difference: docs/differences.md.
		page.body = page.body[:max(1, len(page.body)*g.IntN(100)/100)]
		return page
	default:
		page.status = 404
		return page
	}
}

func (g generator) instances() string {
	var all string
	for range g.IntN(4) {
		all += g.space() + element("item", g.instance()) + g.space()
	}
	return all
}

// instance has all that the library takes for granted: without it, it panics.
func (g generator) instance() string {
	zone := "eu-central-1" + g.one("a", "b", "c")
	parts := []string{
		element("instanceId", fmt.Sprintf("i-%x", g.IntN(1<<20))),
		element("imageId", g.one("ami-1", "ami-2")),
		element("instanceState", element("code", "16")+element("name", g.one("running", "stopped", "pending"))),
		element("instanceType", g.one("t3.micro", "m7g.large")),
		element("placement", element("availabilityZone", zone)+g.maybe("tenancy", "default")),
		g.maybe("privateDnsName", "ip-10-0-0-1.internal"),
		g.maybe("platform", "windows"),
		g.maybe("architecture", "x86_64", "arm64"),
		g.maybe("instanceLifecycle", "spot"),
		element("launchTime", "2026-11-24T12:00:00.000Z"),
		element("tagSet", g.tags()),
		element("networkInterfaceSet", g.interfaces()),
	}
	if !g.chance(4) {
		parts = append(parts, element("privateIpAddress", fmt.Sprintf("10.0.%d.%d", g.IntN(4), g.IntN(256))))
	}
	if g.chance(2) {
		parts = append(parts, element("ipAddress", fmt.Sprintf("8.8.%d.%d", g.IntN(4), g.IntN(256))), g.one("<dnsName/>", "<dnsName>a.example</dnsName>"))
	} else {
		parts = append(parts, g.maybe("dnsName", "b.example"))
	}
	if !g.chance(4) {
		parts = append(parts, element("vpcId", g.one("vpc-1", "")), element("subnetId", g.one("subnet-1", "subnet-2", "")))
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return strings.Join(parts, g.space())
}

func (g generator) tags() string {
	var tags string
	for range g.IntN(4) {
		key := g.maybe("key", "Name", "a-b", "a.b", "aws:cloudformation:stack-name", "é", "1", "with space", "<&>", "x/y")
		tags += element("item", key+g.maybe("value", "web", "é", "a & <b>", " padded ", "\"quoted\"", "1,2"))
	}
	return tags
}

func (g generator) interfaces() string {
	var all string
	for i := range g.IntN(4) {
		index := i
		if g.chance(3) {
			index = g.IntN(6)
		}
		var addresses string
		for range g.IntN(3) {
			address := element("ipv6Address", fmt.Sprintf("2001:db8::%x", g.IntN(1<<16)))
			addresses += element("item", address+element("isPrimaryIpv6", g.one("true", "false")))
		}
		subnet := ""
		if !g.chance(5) {
			subnet = element("subnetId", g.one("subnet-1", "subnet-2", "subnet-3"))
		}
		attachment := element("attachment", element("deviceIndex", fmt.Sprint(index)))
		all += element("item", subnet+attachment+element("ipv6AddressesSet", addresses))
	}
	return all
}
