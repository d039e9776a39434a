package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// generator makes answers that are right, almost right and wrong.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

// chance is true in one of n cases.
func (g generator) chance(n int) bool { return g.IntN(n) == 0 }

// reply is what the server answers to a request.
type reply struct {
	status      int
	contentType string
	location    string
	body        string
}

func numbers(seed, count string) (uint64, int, error) {
	s, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("the seed is not a number: %q", seed)
	}
	c, err := strconv.Atoi(count)
	if err != nil {
		return 0, 0, fmt.Errorf("the count is not a number: %q", count)
	}
	return s, c, nil
}

// writeCases leaves the cases in a file that is there only when it is whole.
func writeCases(path string, cases []any) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	for _, c := range cases {
		if err := encoder.Encode(c); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// serve answers random lists of targets, instances and services, the same for the same seed.
func serve(seedText, countText, path string) error {
	seed, count, err := numbers(seedText, countText)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	lists, accounts := make([]reply, count), make([]account, count)
	var cases []any
	for i := range count {
		g := generator{rand.New(rand.NewPCG(seed, uint64(i)))}
		lists[i] = g.list(count)
		accounts[i] = g.account()
		sd := map[string]any{"refresh_interval": "1h"}
		if g.chance(3) {
			config := g.consulConfig(listener.Addr().String(), i)
			cases = append(cases, map[string]any{"consul_sd_configs": []any{config}})
			continue
		}
		if g.chance(2) {
			sd["url"] = fmt.Sprintf("%s/sd/%d?a=%d", url, i, i)
			if g.chance(10) {
				sd["follow_redirects"] = false
			}
			cases = append(cases, map[string]any{"http_sd_configs": []any{sd}})
			continue
		}
		sd["endpoint"] = fmt.Sprintf("%s/ec2/%d/", url, i)
		sd["region"] = g.one("eu-central-1", "us-east-1")
		sd["port"] = g.IntN(3) * 9100
		sd["access_key"], sd["secret_key"] = "AKIDEXAMPLE", "secret"
		cases = append(cases, map[string]any{"ec2_sd_configs": []any{sd}})
	}
	http.HandleFunc("GET /sd/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n >= count {
			http.NotFound(w, r)
			return
		}
		lists[n].write(w)
	})
	http.HandleFunc("POST /ec2/{n}/", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n >= count {
			http.NotFound(w, r)
			return
		}
		accounts[n].answer(r.FormValue("Action"), r.FormValue("NextToken")).write(w)
	})
	http.HandleFunc("GET /consul/{n}/", func(w http.ResponseWriter, r *http.Request) { consul(seed, w, r) })
	if err := writeCases(path, cases); err != nil {
		return err
	}
	return http.Serve(listener, nil)
}

func (r reply) write(w http.ResponseWriter) {
	w.Header()["Content-Type"] = nil
	if r.contentType != "" {
		w.Header().Set("Content-Type", r.contentType)
	}
	if r.location != "" {
		w.Header().Set("Location", r.location)
	}
	w.WriteHeader(r.status)
	fmt.Fprint(w, r.body)
}

// list is what an HTTP SD server could answer.
func (g generator) list(count int) reply {
	r := reply{status: 200, contentType: "application/json", body: g.groups()}
	if g.chance(6) {
		r.contentType = g.one("application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON",
			"application/json; charset=\"utf-8\"", "application/json; charset=latin1", "text/plain", "", "application/jsonl",
			"application/json;", "application/json; Charset=utf-8", "application/json ; charset=utf-8")
	}
	if g.chance(12) {
		r.status = []int{201, 204, 301, 302, 304, 400, 404, 500, 503}[g.IntN(9)]
	}
	if g.chance(15) {
		r.status = []int{301, 302, 303, 307, 308}[g.IntN(5)]
		r.location = g.one(fmt.Sprintf("/sd/%d", g.IntN(count)), fmt.Sprintf("%d#x", g.IntN(count)), "/nowhere", "?b=1", "")
	}
	return r
}

func (g generator) groups() string {
	if g.chance(25) {
		return g.one("", "null", "{}", "[", "[[]]", "[null]", "\"a\"", "7", "[] []", "[]\n ", "\ufeff[]", "<html>", "[,]", "[{}]",
			"[{\"targets\": [\"a\"]}, null]", "[] trailing")
	}
	var groups []string
	for range g.IntN(4) {
		groups = append(groups, g.group())
	}
	return g.space() + "[" + strings.Join(groups, ","+g.space()) + "]" + g.space()
}

func (g generator) space() string {
	if g.chance(3) {
		return g.one(" ", "\n", "\t", "\r\n  ")
	}
	return ""
}

func (g generator) group() string {
	var fields []string
	if !g.chance(8) {
		fields = append(fields, g.field("targets", g.targets()))
	}
	if !g.chance(3) {
		fields = append(fields, g.field("labels", g.labels()))
	}
	if g.chance(20) {
		fields = append(fields, g.field(g.one("source", "target", "", "é", "__address__"), g.one("1", "null", "[]", "\"a\"")))
	}
	if len(fields) > 0 && g.chance(20) {
		fields = append(fields, g.field(g.one("targets", "labels"), g.one("null", "[]", "{}", "[\"b:1\"]", "{\"x\": \"y\"}")))
	}
	return "{" + g.space() + strings.Join(fields, ","+g.space()) + "}"
}

func (g generator) field(name, value string) string {
	if g.chance(15) {
		name = g.one(strings.ToUpper(name), strings.ToUpper(name[:min(1, len(name))])+name[min(1, len(name)):], name+" ", "target\u017f")
	}
	return fmt.Sprintf("%s:%s%s", g.text(name), g.space(), value)
}

func (g generator) targets() string {
	if g.chance(20) {
		return g.one("null", "{}", "\"a:1\"", "[1]", "[null]", "[[\"a\"]]", "[true]")
	}
	var targets []string
	for range g.IntN(4) {
		targets = append(targets, g.text(g.one("10.0.0.1:80", "[::1]:9090", "a.example", "", "http://a/b", "é:1", "a b", "10.0.0.1:80\u0000")))
	}
	return "[" + strings.Join(targets, ",") + "]"
}

func (g generator) labels() string {
	if g.chance(20) {
		return g.one("null", "[]", "\"a\"", "{\"a\": 1}", "{\"a\": null}", "{\"a\": [\"b\"]}", "{\"\": \"a\"}", "{\"a\": true}")
	}
	var labels []string
	for range g.IntN(4) {
		name := g.one("a", "b", "__meta_x", "__address__", "__meta_url", "A", "é", "a-b", "1", "a.b", "job", "\u2028")
		labels = append(labels, g.text(name)+":"+g.text(g.one("", "x", "y", "é", "\\", "\"", "\n", "a\u0000b", "\U0001f600", "<&>")))
	}
	return "{" + strings.Join(labels, ",") + "}"
}

// text writes a JSON string, at times with escapes that need not be, or with what is no text.
func (g generator) text(text string) string {
	encoded, _ := json.Marshal(text)
	if g.chance(40) {
		return g.one("\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\xff\"", "\"a\xc3\"", "\"\\u0061\"", "\"\\/\"", "\"\\x\"", "\"\t\"", "\"a")
	}
	return string(encoded)
}
