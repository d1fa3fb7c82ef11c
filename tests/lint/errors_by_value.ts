/**
 * Lint rules for promises that no type can express. The error number of a call is
 * taken in the frame of the call, and passed on as a value. `backends/ffi/errno.ts`
 * has the reasons.
 *
 * @module
 */

import { pathInPackage } from "./path_in_package.ts";

type Node = Deno.lint.Node;
type RuleContext = Deno.lint.RuleContext;
type LintVisitor = Deno.lint.LintVisitor;

const plugin: Deno.lint.Plugin = {
  name: "pollux",
  rules: {
    "bare-symbol": { create: bareSymbol },
    "minus-one": { create: minusOne },
    "load-after-call": { create: loadAfterCall },
  },
};

export default plugin;

/**
 * In the package a function of a library is called through `errorsByValue()`, and
 * never as `Deno.dlopen` gives it, which leaves the number behind in errno.
 */
function bareSymbol(context: RuleContext): LintVisitor {
  if (!/^(backends|reactor|adapters)\//.test(fileOf(context))) return {};
  const bare = new Names<true>();
  const report = (node: Node): void =>
    context.report({
      node,
      message: "A bare symbol leaves its error number behind in errno",
      hint: "Pass the symbols through errorsByValue() of library.ts",
    });
  return {
    "MemberExpression[property.name='symbols']": report,
    "ObjectPattern > Property[key.name='symbols']"(node: Node): void {
      const { value } = node as Deno.lint.Property;
      if (value.type === "Identifier") bare.set(value, true);
      else report(node);
    },
    "MemberExpression[object.type='Identifier']"(node: Node): void {
      const { object } = node as Deno.lint.MemberExpression;
      if (bare.get(object)) report(node);
    },
    "VariableDeclarator[init.type='Identifier']"(node: Node): void {
      const { init } = node as Deno.lint.VariableDeclarator;
      if (bare.get(init!)) report(node);
    },
  };
}

/** A function that fails returns -errno: compared with -1, all but EPERM go unseen. */
function minusOne(context: RuleContext): LintVisitor {
  const names = new Names<"function" | "result" | "other">();

  const isFunction = (node: Node): boolean =>
    node.type === "MemberExpression"
      ? isLibrary(node.object) && !isNamed(node.property, /Parked$/)
      : names.get(node) === "function";

  const isResult = (node: Node): boolean => {
    switch (node.type) {
      case "TSNonNullExpression":
        return isResult(node.expression);
      case "ConditionalExpression":
        return isResult(node.consequent) || isResult(node.alternate);
      case "CallExpression":
        return isFunction(withoutBang(node.callee));
      default:
        return names.get(node) === "result";
    }
  };

  return {
    ImportSpecifier(node): void {
      const fromLibrary = /(^|\/)(libc|file_calls)\.ts$/.test(
        node.parent.source?.value ?? "",
      );
      const fails = fromLibrary &&
        isNamed(node.imported, /^(open|openat|fcntl|ioctl)$/);
      names.set(node.local, fails ? "function" : "other");
    },
    VariableDeclarator({ id, init }): void {
      if (id.type === "Identifier") {
        names.set(id, init && isResult(init) ? "result" : "other");
      }
      if (id.type !== "ObjectPattern" || !init || !isLibrary(init)) return;
      for (const property of id.properties) {
        if (property.type !== "Property") continue;
        if (!isNamed(property.key, /Parked$/)) {
          names.set(property.value, "function");
        }
      }
    },
    "BinaryExpression[operator=/^[!=]==?$/]"(node: Node): void {
      const { left, right } = node as Deno.lint.BinaryExpression;
      const sides: Node[] = [left, right];
      if (!sides.some(isMinusOne) || !sides.some(isResult)) return;
      context.report({
        node,
        message: "A call that fails returns its error number, negated",
        hint: "Compare with `< 0`",
      });
    },
  };
}

/** In the frame itself: the statement after a call does nothing but load errno. */
function loadAfterCall(context: RuleContext): LintVisitor {
  if (fileOf(context) !== "backends/ffi/errno.ts") return {};
  return {
    "CallExpression[callee.name=/^(symbol|copy)$/]"(node: Node): void {
      const next = statementAfter(node);
      const text = next === undefined ? "" : context.sourceCode.getText(next);
      if (/^(let |const )?number = memory\[0\]!?;$/.test(text)) return;
      context.report({
        node,
        message: "The statement after a call has to load errno",
      });
    },
  };
}

/** The file's path in the repository. */
function fileOf(context: RuleContext): string {
  return pathInPackage(context.filename);
}

/** The meanings of names, function by function: an inner function sees the outer ones. */
class Names<T> {
  readonly #scopes = new Map<Node, Map<string, T>>();

  set(name: Node, meaning: T): void {
    if (name.type !== "Identifier") return;
    const scope = [...scopesAround(name)][0]!;
    const known = this.#scopes.get(scope) ?? new Map<string, T>();
    this.#scopes.set(scope, known.set(name.name, meaning));
  }

  get(name: Node): T | undefined {
    if (name.type !== "Identifier") return undefined;
    for (const scope of scopesAround(name)) {
      const meaning = this.#scopes.get(scope)?.get(name.name);
      if (meaning !== undefined) return meaning;
    }
    return undefined;
  }
}

function* scopesAround(node: Node): Generator<Node> {
  for (let at: Node | undefined = node; at; at = parentOf(at)) {
    if (/Function|^Program$/.test(at.type)) yield at;
  }
}

function parentOf(node: Node): Node | undefined {
  return (node as { parent?: Node }).parent;
}

/** `libc()`, or the functions of another library. */
function isLibrary(node: Node): boolean {
  return node.type === "CallExpression" && isNamed(node.callee, /^libc$/) ||
    isNamed(node, /^(file|process)Calls$/) ||
    node.type === "MemberExpression" && isNamed(node.property, /^functions$/);
}

function isNamed(node: Node, name: RegExp): boolean {
  return node.type === "Identifier" && name.test(node.name);
}

function isMinusOne(node: Node): boolean {
  return node.type === "UnaryExpression" && node.operator === "-" &&
    node.argument.type === "Literal" && node.argument.value === 1;
}

function withoutBang(node: Node): Node {
  return node.type === "TSNonNullExpression" ? node.expression : node;
}

function statementAfter(node: Node): Node | undefined {
  let statement = node;
  let block = parentOf(node);
  while (block && block.type !== "BlockStatement") {
    statement = block;
    block = parentOf(block);
  }
  const statements: Node[] = block?.body ?? [];
  return statements[statements.indexOf(statement) + 1];
}
