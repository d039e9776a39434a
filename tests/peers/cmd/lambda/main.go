// Command lambda runs a function like Lambda, in environments. An environment answers one event at a time. While it
// waits for the next event, it is frozen (SIGSTOP). It is killed when an event takes too long. An event without a free
// environment starts a new one. If the largest number of environments is reached, events wait.
//
//	lambda [-listen ADDRESS] [-environments N] [-timeout DURATION] [-freeze=false] [-log FILE] -- COMMAND [ARGUMENT...]
//
// The function gets the environment variables of this program. The program prints `ready URL` when it serves:
//
//	POST /2015-03-31/functions/NAME/invocations  the Invoke API: takes an event, returns the function's answer
//	GET  /-/environments                         JSON list: pid, state, events so far, seconds since the start
//	anything else                                a function URL: makes an event of format 2.0, returns the answer
//
// The first event that needs an environment starts it. An environment that ended or was killed starts again with the
// next event. Failed invocations answer like Lambda: the Invoke API with errorType and errorMessage, the function URL
// with 502.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("lambda: ")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	environments := flag.Int("environments", 1, "the most environments at once")
	timeout := flag.Duration("timeout", 30*time.Second, "how long the function may take for an answer")
	freeze := flag.Bool("freeze", true, "whether an environment that waits for an event stands still")
	output := flag.String("log", "", "file that what the function writes is appended to (default: standard error)")
	flag.Parse()
	if flag.NArg() == 0 {
		log.Fatal("name a command")
	}
	out := os.Stderr
	if *output != "" {
		var err error
		if out, err = os.OpenFile(*output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	pool := &pool{most: *environments, timeout: *timeout, freeze: *freeze, command: flag.Args(), output: out}

	// Environments are separate process groups, so they would outlive this program.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		pool.killAll()
		os.Exit(0)
	}()

	routes := http.NewServeMux()
	routes.HandleFunc("POST /2015-03-31/functions/{name}/invocations", pool.serveInvoke)
	routes.HandleFunc("GET /-/environments", pool.serveEnvironments)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		// A ServeMux would redirect unclean paths and decode others.
		if strings.HasPrefix(request.RequestURI, "/2015-03-31/") || strings.HasPrefix(request.RequestURI, "/-/") {
			routes.ServeHTTP(response, request)
			return
		}
		pool.serveURL(response, request)
	})))
}

func (p *pool) serveInvoke(response http.ResponseWriter, request *http.Request) {
	event, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	result := p.invoke(event)
	response.Header().Set("Content-Type", "application/json")
	if result.failed {
		response.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	response.Write(result.body)
}

func (p *pool) serveEnvironments(response http.ResponseWriter, _ *http.Request) {
	response.Header().Set("Content-Type", "application/json")
	json.NewEncoder(response).Encode(p.describe())
}

// answer is the function's answer to a function URL.
type answer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

func (p *pool) serveURL(response http.ResponseWriter, request *http.Request) {
	event, err := json.Marshal(eventOf(request))
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := read(p.invoke(event))
	if err != nil {
		log.Print(err)
		response.Header().Set("Content-Type", "application/json")
		response.WriteHeader(http.StatusBadGateway)
		io.WriteString(response, `{"message":"Internal Server Error"}`)
		return
	}
	for name, value := range answer.Headers {
		response.Header().Set(name, value)
	}
	response.WriteHeader(answer.StatusCode)
	io.WriteString(response, answer.Body)
}

func read(result result) (answer, error) {
	var answer answer
	if result.failed {
		return answer, errors.New(string(result.body))
	}
	if err := json.Unmarshal(result.body, &answer); err != nil {
		return answer, err
	}
	if answer.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(answer.Body)
		if err != nil {
			return answer, err
		}
		answer.Body = string(body)
	}
	if answer.StatusCode == 0 {
		return answer, fmt.Errorf("no status: %.200s", result.body)
	}
	return answer, nil
}

// eventOf makes an event of payload format 2.0. The path stays encoded, as in function URLs.
func eventOf(request *http.Request) map[string]any {
	path, query, _ := strings.Cut(request.RequestURI, "?")
	headers := map[string]string{"host": request.Host}
	for name, values := range request.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	now := time.Now().UTC()
	return map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
		"isBase64Encoded": false,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainPrefix": "a1b2c3d4e5",
			"domainName": "a1b2c3d4e5.lambda-url.eu-central-1.on.aws", "requestId": fmt.Sprint(now.UnixNano()),
			"routeKey": "$default", "stage": "$default",
			"time": now.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
			"http": map[string]any{
				"method": request.Method, "path": path, "protocol": request.Proto,
				"sourceIp": "127.0.0.1", "userAgent": request.UserAgent(),
			},
		},
	}
}

func (p *pool) start(number int) (*environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	environment := &environment{number: number, pool: p, started: time.Now(), events: make(chan *invocation, 1)}
	environment.server = &http.Server{Handler: environment.routes()}
	command := exec.Command(p.command[0], p.command[1:]...)
	command.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String(),
		"AWS_LAMBDA_FUNCTION_NAME=target-allocator", "AWS_LAMBDA_FUNCTION_VERSION=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256")
	command.Stdout, command.Stderr = p.output, p.output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		listener.Close()
		return nil, err
	}
	environment.command = command
	go environment.server.Serve(listener)
	go func() {
		err := command.Wait()
		environment.server.Close()
		p.ended(environment, fmt.Sprintf("Runtime exited with error: %v", err))
	}()
	return environment, nil
}
