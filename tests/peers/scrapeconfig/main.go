// Command scrapeconfig prints scrape configs as Prometheus reads them.
//
// Input: lines of JSON. Each line is the text of a YAML document, as in the
// `config:` section of the allocator's file. Output: for each line, the scrape
// configs by job name as the allocator serves them, with secrets shown and hidden,
// or the reason why Prometheus refuses the document.
//
// With the arguments `generate SEED COUNT` it prints random documents instead. These
// lines are the input for this program and for the example scrape_config_differential.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/install"
	"go.yaml.in/yaml/v2"
)

type answer struct {
	Refused string         `json:"refused,omitempty"`
	Shown   map[string]any `json:"shown,omitempty"`
	Hidden  map[string]any `json:"hidden,omitempty"`
}

func main() {
	if len(os.Args) > 1 {
		if err := writeCases(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "usage: scrapeconfig [generate SEED COUNT]:", err)
			os.Exit(1)
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			fmt.Fprintln(os.Stderr, "line is not a JSON string:", err)
			os.Exit(1)
		}
		if err := encoder.Encode(answerTo(text)); err != nil {
			fmt.Fprintln(os.Stderr, "cannot write the answer:", err)
			os.Exit(1)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot read the cases:", err)
		os.Exit(1)
	}
}

func writeCases(arguments []string) error {
	var seed, count uint64
	if _, err := fmt.Sscanf(strings.Join(arguments, " "), "generate %d %d", &seed, &count); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for number := range count {
		if err := encoder.Encode(generate(seed, number)); err != nil {
			return err
		}
	}
	return nil
}

func answerTo(text string) (result answer) {
	// A null entry in some lists is a nil pointer that a later check follows.
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Refused: fmt.Sprint("panic: ", cause)}
		}
	}()
	loaded, err := load(text)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	jobs := map[string]*config.ScrapeConfig{}
	for _, job := range loaded.ScrapeConfigs {
		jobs[job.JobName] = job
	}
	if result.Shown, err = served(jobs, true); err != nil {
		return answer{Refused: err.Error()}
	}
	if result.Hidden, err = served(jobs, false); err != nil {
		return answer{Refused: err.Error()}
	}
	return result
}

// load reads a document like the allocator's own file: into untyped values, which resolve scalars once, and then
// into the typed config, which ignores unknown fields.
func load(text string) (*config.Config, error) {
	untyped := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &untyped); err != nil {
		return nil, err
	}
	resolved, err := yaml.Marshal(untyped)
	if err != nil {
		return nil, err
	}
	loaded := &config.Config{}
	return loaded, yaml.Unmarshal(resolved, loaded)
}

// served converts scrape configs to JSON like the allocator.
func served(jobs map[string]*config.ScrapeConfig, secrets bool) (map[string]any, error) {
	commonconfig.MarshalSecretValue = secrets
	text, err := yaml.Marshal(jobs)
	if err != nil {
		return nil, err
	}
	untyped := map[string]any{}
	if err := yaml.Unmarshal(text, &untyped); err != nil {
		return nil, err
	}
	for _, job := range untyped {
		for _, rules := range []string{"relabel_configs", "metric_relabel_configs"} {
			list, _ := job.(map[any]any)[rules].([]any)
			for _, rule := range list {
				if rule, ok := rule.(map[any]any); ok {
					switch rule["action"] {
					case "keepequal", "dropequal":
						delete(rule, "regex")
					}
				}
			}
		}
	}
	return jsonObject(untyped), nil
}

func jsonObject(untyped map[string]any) map[string]any {
	object := make(map[string]any, len(untyped))
	for key, value := range untyped {
		object[key] = jsonValue(value)
	}
	return object
}

// jsonValue converts a YAML value to a JSON value, whose keys are strings.
func jsonValue(value any) any {
	switch value := value.(type) {
	case map[any]any:
		object := make(map[string]any, len(value))
		for key, entry := range value {
			object[fmt.Sprint(key)] = jsonValue(entry)
		}
		return object
	case []any:
		list := make([]any, len(value))
		for at, entry := range value {
			list[at] = jsonValue(entry)
		}
		return list
	}
	return value
}
