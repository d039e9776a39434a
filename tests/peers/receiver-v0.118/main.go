// Command receiver-v0.118 reads scrape configs as the Prometheus receiver of the collectors 0.110 to 0.118 does, and
// says what it refuses. The later receivers have a later Prometheus.
//
//	receiver-v0.118 FILE     the answer of /scrape_configs
//
// The first line of the output is `accepted N jobs` or `refused all jobs: REASON`. A receiver that refuses one job
// refuses all of them, and keeps the jobs that it has.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/prometheus/prometheus/config"
	"gopkg.in/yaml.v2"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: receiver-v0.118 FILE")
	}
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	jobs := map[string]*config.ScrapeConfig{}
	if err := yaml.Unmarshal(body, &jobs); err != nil {
		fmt.Println("refused all jobs:", err)
		return
	}
	for name, job := range jobs {
		if err := job.Validate(config.DefaultGlobalConfig); err != nil {
			fmt.Printf("refused all jobs: %s: %v\n", name, err)
			return
		}
	}
	fmt.Printf("accepted %d jobs\n", len(jobs))
}
