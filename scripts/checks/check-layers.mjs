/**
 * Holds the layers of DESIGN.md: `node scripts/checks/check-layers.mjs [the library's source]`.
 * Prints every import that points up or sideways, and ends with 1 if there is one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { LAYERS, OPTIONAL_PACKAGES } from './layers.mjs';

const workspace = fileURLToPath(new URL('../../', import.meta.url));
const source = resolve(process.argv[2] ?? join(workspace, 'libs/etcd-coordination/src'));

const faults = sourceFiles(source).flatMap((file) => faultsOf(file));
for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  console.error(
    `\n${faults.length} imports break the layers that scripts/checks/layers.mjs names.`,
  );
  process.exitCode = 1;
}

/** Tests may look at everything. */
function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.ts') && !/\.(spec|spec-d)\.ts$/.test(path));
}

function faultsOf(file) {
  const own = layerOf(file);
  const text = readFileSync(join(source, file), 'utf8');
  const where = relative(workspace, join(source, file));
  if (!LAYERS[own])
    return [`${where}: the folder ${own} has no place in scripts/checks/layers.mjs`];

  return importsOf(file, text).flatMap(({ specifier, typeOnly, line }) => {
    const why = specifier.startsWith('.')
      ? relativeFault(file, own, specifier)
      : packageFault(own, specifier, typeOnly);
    return why ? [`${where}:${line}: imports ${specifier}, but ${why}`] : [];
  });
}

function relativeFault(file, own, specifier) {
  const target = posix.normalize(posix.join(dirname(file), specifier)).replace(/\.js$/, '');
  if (target.startsWith('..')) return 'the library must not reach outside of its source';
  const other = layerOf(`${target}.ts`);
  if (other === own) return null;
  const { folders, files = [] } = LAYERS[own];
  if (folders.includes(other) || files.includes(target)) return null;
  const allowed = [...folders, ...files].join(', ') || 'nothing';
  return `${own === '.' ? 'the root barrel' : `${own}/`} may import ${allowed}`;
}

function packageFault(own, specifier, typeOnly) {
  if (specifier.startsWith('nestjs-etcd-coordination')) {
    return 'inside the library paths are relative: its name is another build of it';
  }
  const name = Object.keys(OPTIONAL_PACKAGES).find(
    (optional) => specifier === optional || specifier.startsWith(`${optional}/`),
  );
  if (!name || typeOnly || OPTIONAL_PACKAGES[name].includes(own)) return null;
  return `${name} is optional: import its types only, or load it when it is needed`;
}

function layerOf(file) {
  const slash = file.indexOf('/');
  return slash < 0 ? '.' : file.slice(0, slash);
}

/** Static imports and re-exports; a package that is loaded when needed (`import()`) is free to be missing. */
function importsOf(file, text) {
  const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const found = [];
  const add = (specifier, typeOnly) =>
    found.push({
      specifier: specifier.text,
      typeOnly,
      line: parsed.getLineAndCharacterOfPosition(specifier.getStart(parsed)).line + 1,
    });
  for (const statement of parsed.statements) {
    if (ts.isImportDeclaration(statement)) {
      add(statement.moduleSpecifier, statement.importClause?.isTypeOnly ?? false);
    } else if (ts.isExportDeclaration(statement) && statement.moduleSpecifier) {
      add(statement.moduleSpecifier, statement.isTypeOnly);
    }
  }
  const visit = (node) => {
    const [specifier] = ts.isCallExpression(node) ? node.arguments : [];
    if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      ts.isStringLiteral(specifier) &&
      specifier.text.startsWith('.')
    ) {
      add(specifier, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  return found;
}
