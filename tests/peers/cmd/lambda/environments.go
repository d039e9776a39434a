package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// result is the end of an invocation: the function's answer, or a failure with errorType and errorMessage.
type result struct {
	body   []byte
	failed bool
}

func failure(kind, message string) result {
	body, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message})
	return result{body: body, failed: true}
}

type invocation struct {
	id    string
	event []byte
	done  chan result
}

// pool has the environments of the function. Its mutex guards them too.
type pool struct {
	most    int
	timeout time.Duration
	freeze  bool
	command []string
	output  *os.File

	mutex        sync.Mutex
	environments []*environment
	waiting      []*invocation
	events       int
	starts       int
}

// environment is a process that answers one event at a time.
type environment struct {
	number  int
	pool    *pool
	command *exec.Cmd
	server  *http.Server
	started time.Time
	events  chan *invocation

	current  *invocation
	deadline *time.Timer
	until    time.Time
	idle     bool
	count    int
}

// invoke waits for the answer to an event.
func (p *pool) invoke(event []byte) result {
	p.mutex.Lock()
	p.events++
	invocation := &invocation{id: fmt.Sprintf("event-%d", p.events), event: event, done: make(chan result, 1)}
	if environment := p.free(); environment != nil {
		environment.take(invocation)
	} else if len(p.environments) < p.most {
		p.starts++
		environment, err := p.start(p.starts)
		if err != nil {
			p.mutex.Unlock()
			return failure("Runtime.InvalidEntrypoint", err.Error())
		}
		p.environments = append(p.environments, environment)
		environment.take(invocation)
	} else {
		p.waiting = append(p.waiting, invocation)
	}
	p.mutex.Unlock()
	return <-invocation.done
}

// free returns the first environment that waits for an event.
func (p *pool) free() *environment {
	for _, environment := range p.environments {
		if environment.idle {
			return environment
		}
	}
	return nil
}

// take gives the environment an event to answer.
func (e *environment) take(invocation *invocation) {
	e.idle, e.current = false, invocation
	e.count++
	e.until = time.Now().Add(e.pool.timeout)
	e.deadline = time.AfterFunc(e.pool.timeout, func() {
		message := fmt.Sprintf("Task timed out after %.2f seconds", e.pool.timeout.Seconds())
		e.pool.finish(e, invocation.id, failure("Sandbox.Timedout", message))
		e.signal(syscall.SIGKILL)
	})
	e.signal(syscall.SIGCONT)
	e.events <- invocation
}

// finish ends the environment's invocation with this name, unless it has ended already.
func (p *pool) finish(environment *environment, id string, result result) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	invocation := environment.current
	if invocation == nil || invocation.id != id {
		return false
	}
	environment.current = nil
	environment.deadline.Stop()
	invocation.done <- result
	return true
}

// ended removes an environment whose process has ended.
func (p *pool) ended(gone *environment, why string) {
	p.mutex.Lock()
	for at, environment := range p.environments {
		if environment == gone {
			p.environments = append(p.environments[:at], p.environments[at+1:]...)
			break
		}
	}
	id := ""
	if gone.current != nil {
		id = gone.current.id
	}
	waiting := p.waiting
	p.waiting = nil
	p.mutex.Unlock()
	p.finish(gone, id, failure("Runtime.ExitError", why))
	// These events waited for an environment. Each looks for a free one again.
	for _, invocation := range waiting {
		go func() { invocation.done <- p.invoke(invocation.event) }()
	}
}

func (p *pool) killAll() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, environment := range p.environments {
		environment.signal(syscall.SIGKILL)
	}
}

func (e *environment) signal(signal syscall.Signal) {
	syscall.Kill(-e.command.Process.Pid, signal)
}

type description struct {
	Number  int     `json:"number"`
	PID     int     `json:"pid"`
	State   string  `json:"state"`
	Events  int     `json:"events"`
	Seconds float64 `json:"seconds"`
}

func (p *pool) describe() []description {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	all := []description{}
	for _, e := range p.environments {
		state := "busy"
		if e.idle {
			state = "idle"
		}
		all = append(all, description{e.number, e.command.Process.Pid, state, e.count, time.Since(e.started).Seconds()})
	}
	return all
}

// routes is the Runtime API of one environment.
func (e *environment) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	routes.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		e.answered(w, r, false)
	})
	routes.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		e.answered(w, r, true)
	})
	routes.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})
	return routes
}

func (e *environment) next(response http.ResponseWriter, request *http.Request) {
	e.pool.mutex.Lock()
	if e.count == 0 || e.current == nil {
		if waiting := e.pool.waiting; len(waiting) > 0 {
			e.pool.waiting = waiting[1:]
			e.take(waiting[0])
		} else {
			e.idle = true
			if e.pool.freeze {
				e.signal(syscall.SIGSTOP)
			}
		}
	}
	e.pool.mutex.Unlock()
	var invocation *invocation
	select {
	case invocation = <-e.events:
	case <-request.Context().Done():
		return
	}
	header := response.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", invocation.id)
	header.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(e.until.UnixMilli()))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:target-allocator")
	response.Write(invocation.event)
}

func (e *environment) answered(response http.ResponseWriter, request *http.Request, failed bool) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	if !e.pool.finish(e, request.PathValue("id"), result{body: body, failed: failed}) {
		http.Error(response, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	response.WriteHeader(http.StatusAccepted)
}
