/**
 * Lint rules for sizes that a reader can take in at once. A function fits one screen,
 * and a file has one idea.
 *
 * @module
 */

import { pathInPackage } from "./path_in_package.ts";

type Node = Deno.lint.Node;
type RuleContext = Deno.lint.RuleContext;
type LintVisitor = Deno.lint.LintVisitor;

const MAXIMUM_FUNCTION = 40;
const MAXIMUM_FILE = 450;

/** The rules are about these folders, which are published. */
const PRODUCT = /^(?:mod\.ts|backends\/|reactor\/|adapters\/)/;

/**
 * Exempt: one function is the closures of a Web Stream, which share its state. More
 * than half of the public class is documentation.
 */
export const EXEMPT: readonly string[] = [
  "reactor/reactor.ts",
];

const plugin: Deno.lint.Plugin = {
  name: "size",
  rules: {
    "long-function": { create: longFunction },
    "long-file": { create: longFile },
  },
};

export default plugin;

function longFunction(context: RuleContext): LintVisitor {
  if (!isChecked(context)) return {};
  const check = (node: Node): void => {
    if (isTable(node)) return;
    const lines = linesOf(context, node);
    if (lines <= MAXIMUM_FUNCTION) return;
    context.report({
      node,
      message: `A function of ${lines} lines does not fit one screen`,
      hint: `Divide it: at most ${MAXIMUM_FUNCTION} lines`,
    });
  };
  return {
    FunctionDeclaration: check,
    FunctionExpression: check,
    ArrowFunctionExpression: check,
  };
}

function longFile(context: RuleContext): LintVisitor {
  if (!isChecked(context)) return {};
  return {
    Program(node): void {
      const lines = context.sourceCode.text.trimEnd().split("\n").length;
      if (lines <= MAXIMUM_FILE) return;
      context.report({
        node,
        message: `A file of ${lines} lines has more than one idea`,
        hint: `Divide it: at most ${MAXIMUM_FILE} lines`,
      });
    },
  };
}

/** A function that does nothing but make an object. */
function isTable(node: Node): boolean {
  return node.type === "ArrowFunctionExpression" &&
    node.body.type === "ObjectExpression";
}

function isChecked({ filename }: RuleContext): boolean {
  const file = pathInPackage(filename);
  return PRODUCT.test(file) && !EXEMPT.some((part) => file.startsWith(part));
}

function linesOf({ sourceCode }: RuleContext, node: Node): number {
  return sourceCode.text.slice(...node.range).split("\n").length;
}
