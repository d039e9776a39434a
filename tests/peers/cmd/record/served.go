package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	commonconfig "github.com/prometheus/common/config"
	promconfig "github.com/prometheus/prometheus/config"
	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// servedScrapeConfigs returns the scrape configs by job as the allocator serves
// them to a collector that may see secrets.
func servedScrapeConfigs(scrapeConfigs []*promconfig.ScrapeConfig) (map[string]any, error) {
	byJob := map[string]*promconfig.ScrapeConfig{}
	for _, scrapeConfig := range scrapeConfigs {
		byJob[scrapeConfig.JobName] = scrapeConfig
	}
	commonconfig.MarshalSecretValue = true
	text, err := yamlv2.Marshal(byJob)
	if err != nil {
		return nil, err
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		return nil, err
	}
	served := map[string]any{}
	if err := json.Unmarshal(text, &served); err != nil {
		return nil, err
	}
	for _, scrapeConfig := range served {
		removeUnreadRegexes(scrapeConfig.(map[string]any))
	}
	return served, nil
}

// removeUnreadRegexes takes out the regex of rules whose action reads none: the
// marshalling fills in a default, which the parser then refuses.
func removeUnreadRegexes(scrapeConfig map[string]any) {
	for _, field := range []string{"relabel_configs", "metric_relabel_configs"} {
		rules, _ := scrapeConfig[field].([]any)
		for _, rule := range rules {
			rule := rule.(map[string]any)
			if rule["action"] == "keepequal" || rule["action"] == "dropequal" {
				delete(rule, "regex")
			}
		}
	}
}

// writeJSON writes a value with sorted keys, and with line breaks only in the
// outermost levels, so that a diff names what differs and the file stays small.
func writeJSON(path string, value any, levels int) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	var generic any
	if err := json.Unmarshal(plain, &generic); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	var text bytes.Buffer
	appendJSON(&text, generic, levels)
	text.WriteByte('\n')
	return os.WriteFile(path, text.Bytes(), 0o644)
}

func appendJSON(text *bytes.Buffer, value any, levels int) {
	separator := "\n"
	switch value := value.(type) {
	case map[string]any:
		if levels == 0 || len(value) == 0 {
			break
		}
		text.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(value)) {
			text.WriteString(separator)
			appendJSON(text, key, 0)
			text.WriteString(": ")
			appendJSON(text, value[key], levels-1)
			separator = ",\n"
		}
		text.WriteString("\n}")
		return
	case []any:
		if levels == 0 || len(value) == 0 {
			break
		}
		text.WriteByte('[')
		for _, item := range value {
			text.WriteString(separator)
			appendJSON(text, item, levels-1)
			separator = ",\n"
		}
		text.WriteString("\n]")
		return
	}
	// What was unmarshalled a moment ago can be marshalled.
	plain, _ := json.Marshal(value)
	text.Write(plain)
}
