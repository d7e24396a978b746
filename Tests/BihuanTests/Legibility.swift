/// What a person could not read on a page, found by a script in the browser: each in a sentence.
enum Legibility {
    /// Texts that leave the screen, their picture or their box, that are cut, that lie over each other, that are
    /// small, and that hardly differ from what is behind them (WCAG 2.1 asks for 4.5, and for 3 of large letters).
    static let script = #"""
        (() => {
            const problems = [];
            const [width, root] = [window.innerWidth, document.documentElement];
            if (root.scrollWidth > width) problems.push(`the page is ${root.scrollWidth} wide on ${width}`);

            const numbers = text => (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
            const isOpaque = colour => colour.length < 4 || colour[3] > 0;
            const light = colour => {
                const part = value => (value /= 255) <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
                return .2126 * part(colour[0]) + .7152 * part(colour[1]) + .0722 * part(colour[2]);
            };
            const contrast = (one, two) => {
                const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
                return (high + .05) / (low + .05);
            };
            const behind = (element, x, y) => {
                for (const other of document.elementsFromPoint(x, y)) {
                    if (other === element || other.closest('text')) continue;
                    const style = getComputedStyle(other);
                    const isDrawn = other instanceof SVGGeometryElement;
                    if (isDrawn && style.fill === 'none') continue;
                    const colour = numbers(isDrawn ? style.fill : style.backgroundColor);
                    if (isOpaque(colour)) return colour;
                }
                return [255, 255, 255];
            };
            const isInside = (inner, outer) => inner.left >= outer.left - 1 && inner.right <= outer.right + 1
                && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;

            const texts = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const element = walker.currentNode.parentElement;
                if (!walker.currentNode.textContent.trim() || !element.checkVisibility()
                    || element.closest('.unseen')) continue;
                const range = document.createRange();
                range.selectNodeContents(walker.currentNode);
                const rect = range.getBoundingClientRect();
                if (rect.width) texts.push({ element, rect, text: walker.currentNode.textContent.trim() });
            }
            if (texts.length < 30) problems.push(`there are only ${texts.length} texts`);

            for (const { element, rect, text } of texts) {
                if (rect.left < -1 || rect.right > width + 1) problems.push(`'${text}' leaves the screen`);
                const drawing = element.closest('svg');
                if (drawing && !isInside(rect, drawing.getBoundingClientRect())) {
                    problems.push(`'${text}' leaves its picture`);
                }
                for (let outer = element; outer; outer = outer.parentElement) {
                    const cuts = getComputedStyle(outer).overflowX !== 'visible';
                    if (cuts && !isInside(rect, outer.getBoundingClientRect())) problems.push(`'${text}' is cut`);
                }
                const style = getComputedStyle(element);
                const matrix = drawing ? element.getScreenCTM() : { a: 1, b: 0 };
                const scale = Math.hypot(matrix.a, matrix.b);
                const size = parseFloat(style.fontSize) * scale;
                if (size < 11) problems.push(`'${text}' has letters of ${size.toFixed(1)}`);
                const [x, y] = [(rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2];
                const found = contrast(numbers(drawing ? style.fill : style.color), behind(element, x, y));
                const isLarge = size >= 24 || size >= 18.66 && parseInt(style.fontWeight) >= 700;
                if (found < (isLarge ? 3 : 4.5)) problems.push(`'${text}' has a contrast of ${found.toFixed(2)}`);
            }

            const boxes = [...document.querySelectorAll('svg .box')].filter(box => box.checkVisibility())
                .map(box => box.getBoundingClientRect());
            if (!boxes.length) problems.push('there is no box');
            const drawn = texts.filter(({ element }) => element.closest('.loop'));
            for (const [index, { rect, text }] of drawn.entries()) {
                const [x, y] = [(rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2];
                for (const box of boxes) {
                    const isIn = x > box.left && x < box.right && y > box.top && y < box.bottom;
                    const isWide = rect.left < box.left || rect.right > box.right;
                    if (isIn && isWide) problems.push(`'${text}' leaves its box`);
                }
                for (const other of drawn.slice(index + 1)) {
                    const across = Math.min(rect.right, other.rect.right) - Math.max(rect.left, other.rect.left);
                    const down = Math.min(rect.bottom, other.rect.bottom) - Math.max(rect.top, other.rect.top);
                    if (across > 2 && down > .4 * Math.min(rect.height, other.rect.height)) {
                        problems.push(`'${text}' lies over '${other.text}'`);
                    }
                }
            }
            return problems;
        })()
        """#
}
