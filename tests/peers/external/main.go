// Command external prints the targets that Prometheus finds outside a cluster: at URLs,
// in the DNS, in AWS accounts and in Consul.
//
// Input: lines of JSON. Each line has an SD config as {"KIND_sd_configs": [CONFIG]}.
// Output: for each line, the target groups, or the reason why there are none.
// Prometheus' own discovery/http, discovery/dns, discovery/aws and discovery/consul send requests to the
// servers in the configs, or to the DNS server of the system.
//
// With other arguments it is one of these servers:
//
//	external serve SEED COUNT CASES
//	    answers at random, as an HTTP SD server, as EC2 and as Consul
//	external names SEED COUNT CASES
//	    answers DNS queries at random, on 127.0.0.53
//	external fill ENDPOINT SEED COUNT CASES
//	    starts instances in an EC2, and ends
//
// A server writes COUNT cases to the file CASES. This file is the input for this program
// and for the example external_differential.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/aws"
	consulsd "github.com/prometheus/prometheus/discovery/consul"
	"github.com/prometheus/prometheus/discovery/dns"
	"github.com/prometheus/prometheus/discovery/http"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"
)

// parallel is the number of simultaneous discoveries. They mostly wait.
const parallel = 8

type answer struct {
	Refused string  `json:"refused,omitempty"`
	Failed  string  `json:"failed,omitempty"`
	Groups  []group `json:"groups"`
}

type group struct {
	Source  string           `json:"source"`
	Labels  model.LabelSet   `json:"labels"`
	Targets []model.LabelSet `json:"targets"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 0:
		return answerAll()
	case len(arguments) == 4 && arguments[0] == "serve":
		return serve(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 4 && arguments[0] == "names":
		return names(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 5 && arguments[0] == "fill":
		return fill(arguments[1], arguments[2], arguments[3], arguments[4])
	default:
		return fmt.Errorf("unknown arguments, main.go says which there are: %v", arguments)
	}
}

func answerAll() error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	var pending []chan answer
	slots := make(chan struct{}, parallel)
	for in.Scan() {
		line, result := in.Text(), make(chan answer, 1)
		pending = append(pending, result)
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			result <- answerTo(line)
		}()
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, result := range pending {
		if err := encoder.Encode(<-result); err != nil {
			return err
		}
	}
	return in.Err()
}

func answerTo(line string) answer {
	var configs struct {
		HTTP   []http.SDConfig     `yaml:"http_sd_configs"`
		EC2    []aws.EC2SDConfig   `yaml:"ec2_sd_configs"`
		DNS    []dns.SDConfig      `yaml:"dns_sd_configs"`
		Consul []consulsd.SDConfig `yaml:"consul_sd_configs"`
	}
	if err := yaml.UnmarshalStrict([]byte(line), &configs); err != nil {
		return answer{Refused: err.Error()}
	}
	var config discovery.Config
	switch {
	case len(configs.HTTP) > 0:
		config = &configs.HTTP[0]
	case len(configs.DNS) > 0:
		config = &configs.DNS[0]
	case len(configs.Consul) > 0:
		config = &configs.Consul[0]
	default:
		config = &configs.EC2[0]
	}
	registry := prometheus.NewRegistry()
	failures := make(failures, 16)
	discoverer, err := config.NewDiscoverer(discovery.DiscovererOptions{
		Logger:  slog.New(failures),
		Metrics: config.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry)),
	})
	if err != nil {
		return answer{Refused: err.Error()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	updates := make(chan []*targetgroup.Group)
	go discoverer.Run(ctx, updates)
	if len(configs.Consul) > 0 {
		return answerOfServices(ctx, updates, failures)
	}
	select {
	case found := <-updates:
		// For a name that it cannot query, the discovery reports an error beside an empty list.
		select {
		case reason := <-failures:
			return answer{Failed: reason}
		default:
		}
		groups := []group{}
		for _, g := range found {
			groups = append(groups, group{g.Source, g.Labels, g.Targets})
		}
		return answer{Groups: groups}
	case reason := <-failures:
		return answer{Failed: reason}
	case <-ctx.Done():
		return answer{Failed: "no word of it"}
	}
}

// quiet is how long a discovery of services sends no group after it has sent all of them.
const quiet = time.Second

// answerOfServices collects one group for each service. The discovery does not say which is the last.
func answerOfServices(ctx context.Context, updates chan []*targetgroup.Group, failures failures) answer {
	groups := []group{}
	var done <-chan time.Time
	for {
		select {
		case found := <-updates:
			for _, g := range found {
				// The group without a source says that there is no service.
				if g.Source != "" {
					groups = append(groups, group{g.Source, g.Labels, g.Targets})
				}
			}
			done = time.After(quiet)
		case reason := <-failures:
			return answer{Failed: reason}
		case <-done:
			slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.Source, b.Source) })
			return answer{Groups: groups}
		case <-ctx.Done():
			return answer{Failed: "no word of it"}
		}
	}
}

// failures are the errors that a discovery logs. It reports them nowhere else.
type failures chan string

func (f failures) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (f failures) Handle(_ context.Context, record slog.Record) error {
	reason := []string{record.Message}
	record.Attrs(func(a slog.Attr) bool {
		reason = append(reason, a.Value.String())
		return true
	})
	select {
	case f <- strings.Join(reason, ": "):
	default:
	}
	return nil
}

func (f failures) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f failures) WithGroup(string) slog.Handler      { return f }
