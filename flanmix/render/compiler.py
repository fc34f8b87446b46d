"""What Jinja's own compiler does otherwise here."""

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer


class Code(CodeGenerator):
    """Jinja's own, but an expression as a statement yields its value; Jinja has such statements only by extensions."""

    def visit_ExprStmt(self, node: nodes.ExprStmt, frame: Frame) -> None:
        """Write the code of an expression whose value is yielded."""
        self.newline(node)
        self.write("yield ")
        self.visit(node.node, frame)

    def buffer(self, frame: Frame) -> None:
        """What is not printed at once is kept in a list; it may be no longer than a text that is."""
        frame.buffer = self.temporary_identifier()
        self.writeline(f"{frame.buffer} = environment.buffer()")


class Checks(NodeTransformer):
    """Gives `~` the checks of `join`, and loops a limit."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        """Make `a ~ b` a `join`."""
        self.generic_visit(node)
        pieces = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(pieces, "join", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.For:
        """Count the rounds."""
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "counted", [], [], None, None, lineno=node.lineno)
        return node
