package main

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/relabel"
)

// regexCase is a pattern and what Prometheus' regular expressions make of it.
type regexCase struct {
	Pattern  string        `json:"pattern"`
	Template string        `json:"template"`
	Refused  bool          `json:"refused"`
	Answers  []regexAnswer `json:"answers,omitempty"`
}

type regexAnswer struct {
	Input    string `json:"input"`
	Groups   []int  `json:"groups"`
	Expanded string `json:"expanded"`
	Replaced string `json:"replaced"`
}

func writeRegexes(out *bufio.Writer, random *rand.Rand, count int) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for range count {
		pattern := randomPattern(random)
		made := regexCase{Pattern: pattern, Template: randomTemplate(random)}
		regex, err := relabel.NewRegexp(pattern)
		if err != nil {
			made.Refused = true
		} else {
			for _, input := range inputsFor(random, pattern) {
				groups := regex.FindStringSubmatchIndex(input)
				answer := regexAnswer{Input: input, Groups: groups}
				if groups != nil {
					answer.Expanded = string(regex.ExpandString(nil, made.Template, input, groups))
				}
				answer.Replaced = regex.ReplaceAllString(input, made.Template)
				made.Answers = append(made.Answers, answer)
			}
		}
		if err := encoder.Encode(made); err != nil {
			panic(err)
		}
	}
}

// inputsFor makes texts of which some match the pattern.
//
// A pattern can name half of a surrogate pair, which is in no text. At the start
// of a pattern Go takes it for U+FFFD, elsewhere it does not: not looked into.
func inputsFor(random *rand.Rand, pattern string) []string {
	inputs := []string{randomText(random, 6)}
	if tree, err := syntax.Parse("^(?s:"+pattern+")$", syntax.Perl); err == nil {
		for range 2 {
			var text strings.Builder
			sample(random, tree, &text)
			if text.Len() < 200 && utf8.ValidString(text.String()) {
				inputs = append(inputs, text.String())
			}
		}
		inputs = append(inputs, mutated(random, inputs[len(inputs)-1], randomText(random, 2)))
	}
	if strings.Contains(pattern, `\x{d800}`) {
		inputs = slices.DeleteFunc(inputs, func(input string) bool { return strings.Contains(input, "\ufffd") })
	}
	return inputs
}

// sample writes a text that the expression is likely to match.
func sample(random *rand.Rand, re *syntax.Regexp, text *strings.Builder) {
	if text.Len() > 200 {
		return
	}
	repeat := func(least, most int) {
		if most < 0 {
			most = least + 3
		}
		for range least + random.IntN(min(most-least, 3)+1) {
			sample(random, re.Sub[0], text)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 {
				for range random.IntN(3) {
					r = unicode.SimpleFold(r)
				}
			}
			text.WriteRune(r)
		}
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			i := 2 * random.IntN(len(re.Rune)/2)
			text.WriteRune(re.Rune[i] + random.Int32N(min(re.Rune[i+1]-re.Rune[i], 300)+1))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteString(randomCharacter(random))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			sample(random, sub, text)
		}
	case syntax.OpAlternate:
		sample(random, re.Sub[random.IntN(len(re.Sub))], text)
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	case syntax.OpBeginLine, syntax.OpEndLine:
		if random.IntN(4) == 0 {
			text.WriteByte('\n')
		}
	}
}
